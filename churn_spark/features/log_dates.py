"""Events per date -> which dates are the log, and which come from clocks that are wrong.

One event with a wrong year must not move the log's first or last date, which features, labels and
nights of all users depend on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from itertools import pairwise
from typing import Final

from churn_spark.config import IngestConfig
from churn_spark.contracts.places import AT_EDGE, IN_LOG, OUT_OF_PLACE
from churn_spark.timeline import LogSpan, days_after, days_between

_NEAR: Final = timedelta(days=28)
"""What is usual is asked of so many days around: a service grows."""
_FEW: Final = 10
"""Events: of fewer nothing can be told."""
_SILENT: Final = 0.1
"""Of a day that most events lie on: with fewer, what is there is the rest of an outage. A holiday
has more."""

Counts = Mapping[date, int]


def place_dates(counts: Counts, config: IngestConfig) -> dict[date, str]:
    """The place of each date that has events.

    Dates without a long silence between them are a stretch. A stretch in which no day has a usual
    number of events is not of the log, and where such days have many more, it is out of place.
    The log goes from the first to the last usual day of the other stretches.

    Args:
        counts: date -> events, each with one at least.
        config: what is usual, and how long a silence is.
    """
    if not counts:
        return {}
    most = _of_most_events(counts.values())
    usual = max(config.usual_day * most, min(most, _FEW))
    others = AT_EDGE if config.usual_day * most < _FEW else OUT_OF_PLACE
    stretches = _part(sorted(counts), config.silent_days)
    of_log = [days for days in stretches if max(counts[day] for day in days) >= usual]
    days = [day for stretch in of_log for day in stretch]
    first = next(day for day in days if _is_usual(day, days, counts, config))
    last = next(day for day in reversed(days) if _is_usual(day, days, counts, config))
    near = {day: IN_LOG if first <= day <= last else AT_EDGE for day in days}
    return {day: near.get(day, others) for day in sorted(counts)}


def find_silent_dates(counts: Counts, span: LogSpan) -> frozenset[date]:
    """The dates within the log that have as good as no events: the feed had stopped.

    Args:
        counts: date -> events.
        span: of the log.
    """
    days = days_between(span.start, days_after(span.end, -1))
    least = max(1.0, _SILENT * _of_most_events(counts.get(day, 0) for day in days))
    return frozenset(day for day in days if counts.get(day, 0) < least)


def _part(days: Sequence[date], silent_days: int) -> list[list[date]]:
    """The stretches of sorted dates that have no longer silence within."""
    stretches = [[days[0]]]
    for before, day in pairwise(days):
        if (day - before).days > silent_days:
            stretches.append([])
        stretches[-1].append(day)
    return stretches


def _is_usual(day: date, days: Sequence[date], counts: Counts, config: IngestConfig) -> bool:
    """Whether a date has as many events as the dates around it let expect."""
    least = config.usual_day * _of_most_events(
        counts[one] for one in days if abs(one - day) <= _NEAR
    )
    return counts[day] >= least or least < _FEW


def _of_most_events(counts: Iterable[int]) -> int:
    """The size of a day on which, or on a smaller one, half of all events lie.

    A median of the events: wrong clocks may be on any number of dates, but they send few events.
    """
    sizes = sorted(counts)
    below, half = 0, sum(sizes) / 2
    for size in sizes:
        below += size
        if below >= half:
            return size
    return 0
