"""Runs and a clock -> the newest night that has finished, the one expected by now, how late it is.

A night is known by its as-of date, which begins at 00:00 UTC. It has to be finished when the clock
of the configured zone next shows the configured hour.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from churn_spark.config import ScheduleConfig
from churn_spark.contracts.tables import DECISIONS
from churn_spark.errors import ExitCode
from churn_spark.timeline import day_start, days_after, days_between
from churn_spark.wording import count_of, duration

# Held by its data checks, it has come to its end, and its own alert says so.
_FINISHED: Final = frozenset(
    {ExitCode.DONE, ExitCode.ALERT, ExitCode.RETRAINING_ASKED, ExitCode.HELD}
)
_WHOLE_NIGHTS: Final = ("nightly", "demo")
# A night ends with it whose steps are run one by one.
_LAST_STEP: Final = "retrain_if_needed"
ENDING_JOBS: Final = (*_WHOLE_NIGHTS, _LAST_STEP)
"""The jobs that a night may end with."""
RUN_COLUMNS: Final = ("job", "date", "exit_code", "tables", "started_ts")
"""The columns of `runs` that tell which nights have finished."""


@dataclass(frozen=True)
class EndedRun:
    """A run of a job, as far as it tells which nights have finished.

    Attributes:
        job: its name.
        date: as-of date; none where the job has none.
        exit_code: of the command.
        tables: that it has written.
        started: when, UTC; none where that isn't known.
    """

    job: str
    date: date | None
    exit_code: int
    tables: frozenset[str] = frozenset()
    started: datetime | None = None

    @classmethod
    def of_row(cls, row: Mapping[str, Any]) -> EndedRun:
        """The run of a stored row."""
        tables = frozenset(json.loads(row["tables"] or "{}"))
        return cls(row["job"], row["date"], row["exit_code"], tables, row["started_ts"])

    @property
    def has_finished_night(self) -> bool:
        """Whether the night of its date was at its end with it.

        One that was held before its date had come was that of a mistyped date.
        """
        is_last = self.job in _WHOLE_NIGHTS or (
            self.job == _LAST_STEP and DECISIONS.path in self.tables
        )
        if not is_last or self.date is None or self.exit_code not in _FINISHED:
            return False
        is_ahead = self.started is not None and self.date > self.started.date()
        return not (is_ahead and self.exit_code == ExitCode.HELD)


@dataclass(frozen=True)
class Lateness:
    """How the nights stand at some instant.

    Attributes:
        newest: the newest night that has finished; none where there is none.
        expected: the newest night that has to be finished by now.
        first_missed: the first night that is late; none while all is as expected.
        due: when that one, or else the next one, has to be finished.
        now: the instant.
    """

    newest: date | None
    expected: date
    first_missed: date | None
    due: datetime
    now: datetime

    @property
    def is_late(self) -> bool:
        """Whether a night is missing."""
        return self.first_missed is not None

    @property
    def seconds_late(self) -> float:
        """Since the first missing night had to be finished; 0 while none is missing."""
        return (self.now - self.due).total_seconds() if self.is_late else 0.0

    def describe(self) -> str:
        """What was found and expected, and what to do where a night is missing."""
        found = _name(self.newest)
        if self.first_missed is None:
            return f"{found}; the next one is expected by {_minute(self.due)}"
        n_missed = len(days_between(self.first_missed, self.expected))
        nights = f"that of {self.first_missed}"
        if n_missed > 1:
            nights = f"{count_of(n_missed, 'night')}, {self.first_missed} to {self.expected},"
        return (
            f"{found}, expected {nights} by {_minute(self.due)}, {duration(self.seconds_late)} ago:"
            " see what `nightly` has said, or whether it was started at all, and run it"
        )


def newest_finished(runs: Iterable[EndedRun], now: datetime) -> date | None:
    """The newest night that has finished; one of a mistyped date ahead of the clock is none."""
    last = days_after(now.astimezone(UTC).date(), 1)
    nights = (run.date for run in runs if run.has_finished_night)
    return max((night for night in nights if night and night <= last), default=None)


def due_at(night: date, schedule: ScheduleConfig) -> datetime | None:
    """When a night has to be finished, UTC; none where none is expected."""
    if schedule.hour is None:
        return None
    begins = day_start(days_after(night, schedule.days_behind))
    today = begins.astimezone(schedule.zone).date()
    # The first of these may lie before the date has begun; clocks that are set cost another day.
    shown = (datetime.combine(days_after(today, n), schedule.hour, schedule.zone) for n in range(3))
    return min(at for at in (local.astimezone(UTC) for local in shown) if at >= begins)


def judge_nights(newest: date | None, schedule: ScheduleConfig, now: datetime) -> Lateness | None:
    """How late the nights are; none where no schedule is configured.

    Args:
        newest: the newest night that has finished.
        schedule: when nights are expected.
        now: the instant, with its zone.
    """
    tolerance = timedelta(minutes=schedule.tolerance_minutes)
    expected = now.astimezone(UTC).date()
    due = due_at(expected, schedule)
    while due is not None and due + tolerance >= now:
        expected = days_after(expected, -1)
        due = due_at(expected, schedule)
    if due is None:
        return None
    if newest is not None and newest >= expected:
        coming = due_at(days_after(newest, 1), schedule)
        assert coming is not None
        return Lateness(newest, expected, None, coming, now)
    first = expected if newest is None else days_after(newest, 1)
    since = due_at(first, schedule)
    assert since is not None
    return Lateness(newest, expected, first, since, now)


def describe_nights(newest: date | None, schedule: ScheduleConfig, now: datetime) -> str:
    """The newest finished night, and whether it is the one that is expected, if one is."""
    lateness = judge_nights(newest, schedule, now)
    if lateness is not None:
        return lateness.describe()
    return f"{_name(newest)}; none is expected: schedule.expected_by is not set"


def _name(newest: date | None) -> str:
    if newest is None:
        return "no night has finished so far"
    return f"the newest finished night is of {newest}"


def _minute(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d %H:%M} UTC"
