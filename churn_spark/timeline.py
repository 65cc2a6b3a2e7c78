"""Dates, half-open windows and horizons: the only place that knows what "as of" means.

Everything is UTC. A snapshot as of date D knows the events with `ts < D 00:00:00Z` and
nothing else; every interval is `[start, end)`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

MILLIS_PER_MINUTE = 60_000
MILLIS_PER_HOUR = 60 * MILLIS_PER_MINUTE
MILLIS_PER_DAY = 24 * MILLIS_PER_HOUR
SECONDS_PER_DAY = MILLIS_PER_DAY // 1000
DAYS_PER_YEAR = 365.25
EPOCH = date(1970, 1, 1)
FIRST_MONDAY_S = 4 * SECONDS_PER_DAY
"""The first Monday after the epoch, 1970-01-05, in seconds."""


def parse_date(text: str) -> date:
    """The date of `YYYY-MM-DD`.

    Raises:
        ValueError: if the text is anything else.
    """
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"found {text!r}, expected YYYY-MM-DD") from error
    # 20181001 and 2018-W40-1 are dates of that standard, too.
    if str(day) != text:
        raise ValueError(f"found {text!r}, expected YYYY-MM-DD")
    return day


def day_start(day: date) -> datetime:
    """The instant at which the UTC date begins."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def day_start_millis(day: date) -> int:
    """Milliseconds since the epoch at which the UTC date begins."""
    return day_number(day) * MILLIS_PER_DAY


def day_number(day: date) -> int:
    """Days from the epoch to the date."""
    return (day - EPOCH).days


def day_of_number(number: int) -> date:
    """The date so many days after the epoch."""
    return EPOCH + timedelta(days=number)


def days_after(day: date, days: int) -> date:
    """The date `days` days later."""
    return day + timedelta(days=days)


def days_between(first: date, last: date) -> list[date]:
    """All dates from one to another, both included."""
    return [days_after(first, n) for n in range((last - first).days + 1)]


@dataclass(frozen=True)
class LogSpan:
    """The dates that the log covers, `[start, end)`.

    Attributes:
        start: its first date.
        end: the day after its last date.
    """

    start: date
    end: date


@dataclass(frozen=True)
class Horizon:
    """The window in which a cancellation counts, seen from an as-of date.

    Attributes:
        days: length of the window, in days.
        gap_days: days between the as-of date and the window's start, left for acting.
        grace_days: days after the window in which what happened in it may still be undone.
    """

    days: int
    gap_days: int
    grace_days: int = 0

    def start(self, as_of: date) -> date:
        """First date of the window; cancels in `[as_of, start)` fall into the gap."""
        return as_of + timedelta(days=self.gap_days)

    def end(self, as_of: date) -> date:
        """First date after the window."""
        return self.start(as_of) + timedelta(days=self.days)

    @property
    def last_day(self) -> int:
        """Days from the as-of date to the window's last date."""
        return self.gap_days + self.days - 1

    def is_known(self, as_of: date, known_by: date) -> bool:
        """Whether all events of the window are known, so that a 0 is really a 0.

        Args:
            as_of: the date that the window is seen from.
            known_by: all that happened before this date is known.
        """
        return self.end(as_of) + timedelta(days=self.grace_days) <= known_by

    def newest_known(self, known_by: date) -> date:
        """The latest as-of date whose label is known when all before `known_by` is."""
        return known_by - timedelta(days=self.gap_days + self.days + self.grace_days)

    def newest_learnable(self, cutoff: date) -> date:
        """The latest as-of date to learn from for a test on `cutoff` and later.

        Its window ends a gap before the cutoff.
        """
        return self.newest_known(cutoff - timedelta(days=self.gap_days))


def weekly_dates(first: date, last: date, weekday: int) -> Iterator[date]:
    """The dates of one weekday in `[first, last]`, oldest first.

    A fixed weekday, not steps back from `last`, so that trainings on different days use
    the same as-of dates and their snapshots are computed once.

    Args:
        first: earliest date allowed.
        last: latest date allowed; before `first` gives nothing.
        weekday: 0 for Monday to 6 for Sunday.
    """
    day = first + timedelta(days=(weekday - first.weekday()) % 7)
    while day <= last:
        yield day
        day += timedelta(days=7)
