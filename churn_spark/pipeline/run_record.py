"""What a run of a job took and wrote -> a row of `monitoring/runs`, lines of JSON, metrics."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from datetime import date as Date
from typing import Any, Final

from churn_spark.config import RunsConfig
from churn_spark.contracts.tables import TABLES, TableSpec
from churn_spark.errors import ExitCode
from churn_spark.lakehouse.growth import measure_growth, read_versions
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.pipeline.console import each_step_told_to, warn
from churn_spark.pipeline.run_reports import report_run
from churn_spark.runtime.usage import cpu_seconds, find_processes, peak_bytes
from churn_spark.stores.runs import Run, TableWritten, write_run
from churn_spark.troubles import describe_trouble, exit_code_of

_records: Final[list[RunRecord]] = []
"""Of the runs that go on in this process: one, but in tests."""


@dataclass
class RunRecord:
    """A run that goes on: when it began, and what was there then.

    Attributes:
        lakehouse: that it works in.
        config: where it tells of itself.
        job: its name.
        started: when it began, seconds since 1970.
        date: as-of date; none until it is known.
        versions: of the tables before it has written any.
        cpu_before: CPU seconds that its processes had used for something else before.
        steps: name, seconds and end of each that was finished.
        code: how it ended, where that is told; how the command ends may be another date's.
    """

    lakehouse: Lakehouse
    config: RunsConfig
    job: str
    started: float
    date: Date | None = None
    versions: dict[TableSpec, int] = field(default_factory=dict)
    cpu_before: float = 0.0
    steps: list[tuple[str, float, float]] = field(default_factory=list)
    code: ExitCode = ExitCode.DONE

    def begin(self) -> None:
        """Look at the tables before the run writes any."""
        self.versions = read_versions(self.lakehouse, TABLES)

    def note_step(self, name: str, seconds: float) -> None:
        """Write down a step that was finished."""
        self.steps.append((name, seconds, time.time()))

    def note_date(self, date: Date) -> None:
        """Write down the date; a second one ends this record and begins one of its own."""
        if self.date in (None, date):
            self.date = date
            return
        self.end()
        self.cpu_before = cpu_seconds(self._processes())
        self.started, self.date, self.steps, self.code = time.time(), date, [], ExitCode.DONE
        self.begin()

    def end(self, error: BaseException | None = None) -> None:
        """Keep the run, if there are tables; what goes wrong with that is a warning."""
        try:
            run = self._measure(error)
            if run.tables or max(self.versions.values()) >= 0:
                write_run(self.lakehouse, run)
            report_run(run, self.config)
        except Exception as trouble:
            told = describe_trouble(trouble)
            if told and error and describe_trouble(error):
                # Such as a full disk: the run ends with it, and says so.
                return
            told = told or f"{type(trouble).__name__}: {trouble}"
            warn(f"what this run took could not be kept: {' '.join(told.split())[:300]}")

    def _measure(self, error: BaseException | None) -> Run:
        pids, started = self._processes(), datetime.fromtimestamp(self.started, UTC)
        return Run(
            run_id=f"{started:%Y%m%dT%H%M%S}-{self.job}-{secrets.token_hex(3)}",
            job=self.job,
            date=self.date,
            started_ts=started,
            seconds=round(time.time() - self.started, 3),
            cpu_seconds=round(cpu_seconds(pids) - self.cpu_before, 2),
            peak_memory_bytes=peak_bytes(pids),
            exit_code=int(self.code) if error is None else exit_code_of(error),
            error=None if error is None else type(error).__name__,
            steps=self._sum_steps(),
            tables={
                spec.path: TableWritten(
                    before=growth.before,
                    version=growth.after,
                    rows=growth.rows,
                    bytes=growth.n_bytes,
                    files=growth.files,
                    seconds=self._seconds_until(growth.committed_ms / 1000),
                )
                for spec, growth in measure_growth(self.lakehouse, self.versions).items()
            },
        )

    def _sum_steps(self) -> dict[str, float]:
        """Seconds by name: a night may do a step for several dates, one after the other."""
        sums: dict[str, float] = {}
        for name, seconds, _ in self.steps:
            sums[name] = round(sums.get(name, 0.0) + seconds, 3)
        return sums

    def _seconds_until(self, committed: float) -> float | None:
        """Of the first step that ended after a commit: it has made it."""
        after = [seconds for _, seconds, end in self.steps if end >= committed]
        return round(after[0], 3) if after else None

    def _processes(self) -> set[int]:
        jvm: Any = self.lakehouse.spark._jvm
        return find_processes(int(jvm.java.lang.ProcessHandle.current().pid()))


@contextmanager
def recorded(record: RunRecord) -> Iterator[None]:
    """Keep what the run in the block takes and writes, however it ends."""
    record.begin()
    _records.append(record)
    try:
        with each_step_told_to(record.note_step):
            yield
    except BaseException as error:
        record.end(error)
        raise
    else:
        record.end()
    finally:
        _records.remove(record)


def note_date(date: Date) -> None:
    """Say which date this process is at: each date is a run of its own."""
    for record in _records:
        record.note_date(date)


def note_code(code: ExitCode) -> None:
    """Say how the date that this process is at has ended."""
    for record in _records:
        record.code = code
