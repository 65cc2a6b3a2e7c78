"""How a lakehouse stands, by its tables' logs and some rows: no Spark, no MLflow, seconds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from datetime import date as Date
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa

from churn_spark.config import ScheduleConfig
from churn_spark.contracts.champion import Published
from churn_spark.contracts.places import IN_LOG
from churn_spark.contracts.tables import (
    ALERTS,
    BUILT_LISTS,
    DECISIONS,
    LOG_DATES,
    RETENTION_LISTS,
    RUNS,
    SCORES,
    TableSpec,
)
from churn_spark.lakehouse.native_rows import NativeTable
from churn_spark.monitoring.alerts.alerts import severity_order
from churn_spark.monitoring.freshness.lateness import describe_nights
from churn_spark.monitoring.policy.told import name_decision
from churn_spark.pipeline.tables_without_spark import (
    AT_ONCE,
    find_root,
    open_all,
    read_champion,
    read_newest_night,
    read_pending_erasure,
    require_tables,
)
from churn_spark.pipeline.use_case import UseCase
from churn_spark.stores.erasures import Erasure
from churn_spark.stores.runs import Run

USE_CASE = UseCase(
    "status",
    "how it stands: last runs and what they took, champion, open alerts, how fresh and how large; "
    "without Spark",
    reads_if_there=(RUNS, DECISIONS, ALERTS, LOG_DATES, SCORES, RETENTION_LISTS, BUILT_LISTS),
    takes=("the champion",),
)


@dataclass(frozen=True)
class TableSize:
    """How large a table is.

    Attributes:
        path: of the table.
        version: its newest.
        rows: of that version; none where a file doesn't say.
        files: of that version.
        n_bytes: of these files.
        on_disk: bytes of all that is in its folder; none on object storage.
    """

    path: str
    version: int
    rows: int | None
    files: int
    n_bytes: int
    on_disk: int | None


@dataclass(frozen=True)
class Status:
    """How a lakehouse stands.

    Attributes:
        root: where it is.
        champion: what is published of it; none before the first training.
        runs: the last ones, the newest first.
        decisions: of each night of them, in words.
        alerts: that are open, the gravest first: severity, sentence, and since when.
        last_days: what -> its newest date; none where there is none.
        nights: the newest finished one, and whether it is the one that is expected.
        erasure: that was begun and isn't finished, if there is one.
        sizes: of the tables that are there.
    """

    root: str
    champion: Published | None
    runs: Sequence[Run]
    decisions: Mapping[Date, str]
    alerts: Sequence[tuple[str, str, Date]]
    last_days: Mapping[str, Date | None]
    nights: str
    erasure: Erasure | None
    sizes: Sequence[TableSize]


def read_status(
    lakehouse: str, n_runs: int, schedule: ScheduleConfig, now: datetime | None = None
) -> Status:
    """Look at a lakehouse.

    Args:
        lakehouse: as configured.
        n_runs: so many runs are told.
        schedule: when nights are expected.
        now: the instant; the present one where none is given.

    Raises:
        InputError: if there is none of its tables, or only Spark reaches them.
    """
    root = find_root(lakehouse)
    there = open_all(root)
    require_tables(root, there)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        sizes = [*pool.map(partial(_measure, root), there.items())]
    runs = _read_runs(there.get(RUNS), n_runs)
    nights = [run.date for run in runs if run.date]
    now = now or datetime.now(UTC)
    newest = read_newest_night(there[RUNS], now) if RUNS in there else None
    return Status(
        root,
        read_champion(root),
        runs,
        _read_decisions(there.get(DECISIONS), nights),
        _read_open_alerts(there.get(ALERTS)),
        {
            "log": _last_log_day(there.get(LOG_DATES)),
            "scores": _last_partition(there.get(SCORES), "as_of"),
            "list": _last_list(there),
        },
        describe_nights(newest, schedule, now),
        read_pending_erasure(root),
        sizes,
    )


def _measure(root: str, table: tuple[TableSpec, NativeTable]) -> TableSize:
    spec, opened = table
    files = opened.files
    counts = files["num_records"] if len(files) else pa.array([0])
    return TableSize(
        spec.path,
        opened.delta.version(),
        None if counts.null_count else sum(counts.to_pylist()),
        len(files),
        sum(files["size_bytes"].to_pylist()) if len(files) else 0,
        _measure_folder(Path(root, spec.path)) if root.startswith("/") else None,
    )


def _measure_folder(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def _read_runs(table: NativeTable | None, n_runs: int) -> list[Run]:
    rows = _rows(table).sort("started_ts", descending=True).head(n_runs) if table else None
    return [Run.of_row(row) for row in rows.iter_rows(named=True)] if rows is not None else []


def _read_decisions(table: NativeTable | None, nights: Sequence[Date]) -> dict[Date, str]:
    if table is None or not nights:
        return {}
    rows = _rows(table, {"run_date": nights}, ("run_date", "sequence", "kind", "rule"))
    told: dict[Date, str] = {}
    for row in rows.sort("run_date", "sequence").iter_rows(named=True):
        before = f"{told[row['run_date']]}, " if row["run_date"] in told else ""
        told[row["run_date"]] = f"{before}{name_decision(row['kind'], row['rule'])}"
    return told


def _read_open_alerts(table: NativeTable | None) -> list[tuple[str, str, Date]]:
    last = _last_partition(table, "run_date")
    if table is None or last is None:
        return []
    names = ("severity", "sentence", "opened", "resolved")
    rows = _rows(table, {"run_date": [last]}, names).filter(pl.col("resolved").is_null())
    found = [(row[0], row[1], row[2]) for row in rows.select(names[:3]).iter_rows()]
    return sorted(found, key=lambda alert: (severity_order(alert[0]), alert[1]))


def _last_log_day(table: NativeTable | None) -> Date | None:
    if table is None:
        return None
    last = _rows(table, {"place": [IN_LOG]}, ("event_date",))["event_date"].max()
    return last if isinstance(last, Date) else None


def _last_list(there: Mapping[TableSpec, NativeTable]) -> Date | None:
    """The newest list, which may have nobody on it; one of an older release isn't noted."""
    found = [_last_partition(there.get(spec), "as_of") for spec in (RETENTION_LISTS, BUILT_LISTS)]
    return max((day for day in found if day), default=None)


def _last_partition(table: NativeTable | None, column: str) -> Date | None:
    values = table.partition_values(column, None) if table else []
    return values[-1] if values else None


def _rows(
    table: NativeTable,
    where: Mapping[str, Sequence[Any]] | None = None,
    columns: Sequence[str] | None = None,
) -> pl.DataFrame:
    return pl.DataFrame(table.read(where or {}, columns or table.spec.column_names))
