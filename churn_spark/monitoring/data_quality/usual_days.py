"""Counts of the days before -> what a day of this weekday usually has, as the log grows, and ends.

A log that grows by a twentieth a week has a quarter more events than the median of the same weekday
of the last eight. The growth is the median of what each day has beside the same weekday some weeks
before it, which a holiday among them hardly moves.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from datetime import date, timedelta
from statistics import median
from typing import Final

from churn_spark.timeline import LogSpan, days_after, days_between

WEEKS: Final = 8
_MIN_PAIRS: Final = 14
_DAYS_OF_GAP: Final = 7
_MOST_GROWTH: Final = math.log(1.5)
# Of the median distance to the median; and of a median's error, beside a mean's: normal noise.
_TO_DEVIATION: Final = 1.4826
_OF_MEDIAN: Final = 1.2533

Count = Callable[[date], int]
"""The events of a day."""


def same_weekdays(
    n_events: Count, day: date, log_start: date, skipped: Collection[date] = ()
) -> tuple[float, ...]:
    """Events of the same weekday in the weeks before, each as large as if it were now.

    Args:
        n_events: of a day.
        day: that is checked.
        log_start: first date of the log.
        skipped: days that say nothing of usual ones: holidays.
    """
    growth = weekly_growth(n_events, day, log_start, skipped)
    weeks = ((week, day - timedelta(weeks=week)) for week in range(1, WEEKS + 1))
    known = LogSpan(log_start, day)
    return tuple(
        n_events(one) * math.exp(growth * week)
        for week, one in weeks
        if one >= log_start and one not in skipped and not _is_in_gap(n_events, one, known)
    )


def _is_in_gap(n_events: Count, day: date, known: LogSpan) -> bool:
    """Whether no event came for a week in a row that has the day: then the feed was away."""
    first = max(known.start, days_after(day, 1 - _DAYS_OF_GAP))
    last = min(days_after(known.end, -1), days_after(day, _DAYS_OF_GAP - 1))
    n_silent = 0
    for around in days_between(first, last):
        n_silent = 0 if n_events(around) else n_silent + 1
        if n_silent == _DAYS_OF_GAP:
            return True
    return False


def weekly_growth(
    n_events: Count, day: date, log_start: date, skipped: Collection[date] = ()
) -> float:
    """The logarithm of how much more events a week has than the one before, less its error.

    0 where the log has too few days to tell, or the growth may be chance.
    """
    weeks_known = min(WEEKS, (day - log_start).days // 7)
    # Over half of the weeks: noise of single days is divided by as many.
    lag = max(1, weeks_known // 2)
    days = [days_after(day, -back) for back in range(1, 7 * (weeks_known - lag) + 1)]
    pairs = [(later, days_after(later, -7 * lag)) for later in days]
    steps = [
        math.log(n_events(later) / n_events(earlier)) / lag
        for later, earlier in pairs
        if not {later, earlier} & {*skipped} and n_events(later) and n_events(earlier)
    ]
    if len(steps) < _MIN_PAIRS:
        return 0.0
    middle = median(steps)
    spread = _TO_DEVIATION * median(abs(step - middle) for step in steps)
    error = _OF_MEDIAN * spread / math.sqrt(len(steps))
    return math.copysign(min(max(0.0, abs(middle) - error), _MOST_GROWTH), middle)
