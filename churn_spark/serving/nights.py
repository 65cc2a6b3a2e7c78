"""Which nights have finished, by the runs that are kept, and how late the expected one is."""

from __future__ import annotations

from datetime import date, datetime
from typing import Final

from deltalake import DeltaTable

from churn_spark.config import ScheduleConfig
from churn_spark.contracts.tables import RUNS
from churn_spark.monitoring.freshness.lateness import (
    ENDING_JOBS,
    RUN_COLUMNS,
    EndedRun,
    Lateness,
    describe_nights,
    judge_nights,
    newest_finished,
)
from churn_spark.serving.stores import TableWatch

_NIGHTS: Final = [("job", "in", list(ENDING_JOBS))]


class NightWatch(TableWatch):
    """Keeps the runs that nights end with."""

    def __init__(self, lakehouse: str, schedule: ScheduleConfig) -> None:
        """Nothing is read before the first look."""
        super().__init__(lakehouse, RUNS)
        self._schedule = schedule
        self._runs: tuple[EndedRun, ...] = ()

    def _keep(self, table: DeltaTable) -> None:
        rows = table.to_pyarrow_table(columns=[*RUN_COLUMNS], filters=_NIGHTS)
        self._runs = tuple(map(EndedRun.of_row, rows.to_pylist()))

    def _forget(self) -> str:
        self._runs = ()
        return ""

    def newest(self, now: datetime) -> date | None:
        """The newest night that has finished; none where no run says so."""
        return newest_finished(self._runs, now)

    def lateness(self, now: datetime) -> Lateness | None:
        """How late the nights are; none where no schedule is configured."""
        return judge_nights(self.newest(now), self._schedule, now)

    def describe(self, now: datetime) -> tuple[str, bool]:
        """What is known of them, and whether that is a problem."""
        if self.problem:
            return self.problem, True
        lateness = self.lateness(now)
        is_late = lateness is not None and lateness.is_late
        return describe_nights(self.newest(now), self._schedule, now), is_late
