"""How many of the labels that are due have arrived: a week that was hardly logged has few.

A label says that somebody cancels in a window, or doesn't. The former is known from the event; the
latter only where all days of the window were delivered. A day that has hardly any events beside
those before the window is one that has not come in; when it does, its labels arrive.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from statistics import median
from typing import Any, Final

from churn_spark.contracts.features.segments import ALL
from churn_spark.timeline import Horizon, days_after, days_between

ARRIVAL: Final = "arrival"
"""Basis of these rows of `performance`."""
LABELS_KNOWN: Final = "labels_known"
_USUAL_DAYS: Final = 28
_FEWEST: Final = 20
"""Events of a usual day below which one without any is chance."""


@dataclass(frozen=True)
class DueLabels:
    """The labels of an as-of date whose window has ended.

    Attributes:
        as_of: the date.
        n_due: users of its snapshot.
        n_cancels: of them, cancel before the window's end.
        is_known: whether the log has come as far as the window's end.
        missing: days up to the window's end that have hardly any events.
    """

    as_of: date
    n_due: int
    n_cancels: int
    is_known: bool
    missing: tuple[date, ...]

    @property
    def n_known(self) -> int:
        """Labels that have arrived."""
        return self.n_due if self.is_known and not self.missing else self.n_cancels


def missing_days(
    as_of: date,
    horizon: Horizon,
    n_events: Callable[[date], int],
    least: float,
    is_holiday: Callable[[date], bool] = lambda _: False,
) -> tuple[date, ...]:
    """The days from a date to its window's end that have hardly any events.

    None where the weeks before it had few as well.

    Args:
        as_of: the date.
        horizon: window and gap.
        n_events: of a day.
        least: share of a usual day's events below which a day has not come in.
        is_holiday: whether a day may have few events; one without any has not come in either.
    """
    before = days_between(days_after(as_of, -_USUAL_DAYS), days_after(as_of, -1))
    with_events = [n for n in map(n_events, before) if n]
    usual = median(with_events) if with_events else 0.0
    if usual < _FEWEST:
        return ()

    def is_missing(day: date) -> bool:
        n = n_events(day)
        return n < least * usual and not (n and is_holiday(day))

    window = days_between(as_of, days_after(horizon.end(as_of), -1))
    return tuple(filter(is_missing, window))


def arrival_rows(labels: Iterable[DueLabels], horizon_days: int) -> list[dict[str, Any]]:
    """Rows of `performance`: the share that has arrived of the labels of each date."""
    return [
        {
            "basis": ARRIVAL,
            "window_start": one.as_of,
            "window_end": one.as_of + timedelta(days=horizon_days),
            "slice": ALL,
            "metric": LABELS_KNOWN,
            "value": one.n_known / one.n_due,
            "n_rows": one.n_due,
            "n_positive": one.n_cancels,
        }
        for one in labels
        if one.n_due
    ]


def describe_arrival(row: Mapping[str, Any]) -> str:
    """How many of the labels of a date have arrived, of its row of `performance`."""
    n_due = int(row["n_rows"])
    n_known = round(row["value"] * n_due)
    said = f"{n_known:,} of the {n_due:,} labels as of {row['window_start']} have arrived"
    if n_known == n_due:
        return said
    return (
        f"{said}: days up to the end of their window have hardly any events, so who has not "
        "cancelled isn't known; deliver them, or distrust what is measured on that week"
    )
