"""The table `runs`: what each run of a job took, how it ended, and what it wrote."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from typing import Any

from churn_spark.contracts.tables import RUNS
from churn_spark.lakehouse.tables import Lakehouse


@dataclass(frozen=True)
class TableWritten:
    """What a run has written to a table.

    Attributes:
        before: version of the table before the run; -1 where there was none.
        version: after it.
        rows: written.
        bytes: of the files written.
        files: written.
        seconds: of the step that wrote last; null where no step of it was finished.
    """

    before: int
    version: int
    rows: int
    bytes: int
    files: int
    seconds: float | None


@dataclass(frozen=True)
class Run:
    """A run of a job, as the columns of `runs` describe it."""

    run_id: str
    job: str
    date: date | None
    started_ts: datetime
    seconds: float
    cpu_seconds: float
    peak_memory_bytes: int | None
    exit_code: int
    error: str | None
    steps: Mapping[str, float]
    tables: Mapping[str, TableWritten]

    @classmethod
    def of_row(cls, row: Mapping[str, Any]) -> Run:
        """The run of a stored row."""
        tables = {name: TableWritten(**one) for name, one in json.loads(row["tables"]).items()}
        started = row["started_ts"].replace(tzinfo=UTC)
        told: dict[str, Any] = {**row, "started_ts": started, "tables": tables}
        return cls(**told | {"steps": json.loads(row["steps"])})

    def values(self) -> dict[str, Any]:
        """What is known of it, by column, as JSON takes it but for the instants."""
        return asdict(self)


def write_run(lakehouse: Lakehouse, run: Run) -> None:
    """Add a run."""
    told = run.values()
    told |= {name: json.dumps(told[name]) for name in ("steps", "tables")}
    row = tuple(told[name] for name in RUNS.column_names)
    lakehouse.replace_rows([row], RUNS, {"run_id": [run.run_id]})
