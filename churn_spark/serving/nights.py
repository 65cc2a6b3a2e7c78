"""Which nights have finished, by the runs that are kept, and how late the expected one is."""

from __future__ import annotations

import logging
from datetime import date, datetime
from typing import Final

from deltalake import DeltaTable
from deltalake.exceptions import TableNotFoundError

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

_NIGHTS: Final = [("job", "in", list(ENDING_JOBS))]

_log = logging.getLogger(__name__)


class NightWatch:
    """Keeps the runs that nights end with.

    Attributes:
        problem: why they may not be the newest ones; empty if all is well.
    """

    def __init__(self, lakehouse: str, schedule: ScheduleConfig) -> None:
        """Nothing is read before the first look."""
        self.problem = ""
        self._schedule = schedule
        self._uri = f"{lakehouse.rstrip('/')}/{RUNS.path}"
        self._runs: tuple[EndedRun, ...] = ()
        self._seen: tuple[str, int] | None = None

    def look(self) -> None:
        """Read the runs if the table has a new version; an error becomes `problem`."""
        try:
            table = DeltaTable(self._uri)
            state = (str(table.metadata().id), table.version())
            if state != self._seen:
                rows = table.to_pyarrow_table(columns=[*RUN_COLUMNS], filters=_NIGHTS)
                self._runs = tuple(map(EndedRun.of_row, rows.to_pylist()))
                self._seen = state
            self.problem = ""
        except TableNotFoundError:
            self._runs, self._seen, self.problem = (), None, ""
        except Exception as error:
            problem = f"table {RUNS.path} can't be read: {type(error).__name__}"
            if problem != self.problem:
                _log.warning("%s", problem)
            self.problem = problem

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
