"""Whether more, or fewer, users cancel than in the weeks before: known at once, without labels.

Labels tell after two weeks that a model's probabilities no longer fit. That three times as many
users cancel is to be seen after days, from the counts of the log alone: a week's cancellations
beside those of the weeks before it, both per user and day on which the user was there, so that a
growing service and a day that has not come in change nothing.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

from scipy import stats

from churn_spark.contracts.event_facts import CANCELLED, USER
from churn_spark.contracts.features.segments import ALL
from churn_spark.monitoring.data_quality.event_days import EventDays
from churn_spark.timeline import days_after, days_between
from churn_spark.wording import count_of

CANCELLATIONS: Final = "cancellations"
"""Basis of these rows of `performance`."""
WEEKS_BEFORE: Final = 6
_LEAST_WEEKS: Final = 2
_WEEK: Final = 7
_LEAST_DAYS: Final = 4
"""Of a week, that have come in; with fewer it doesn't count."""
_CONFIDENCE: Final = 0.999
"""It is looked at each night: at 95 % one night in twenty would be beyond chance."""


@dataclass(frozen=True)
class Cancellations:
    """A week's cancellations and those of weeks before it.

    Attributes:
        n_recent: users who have cancelled in the week.
        n_before: in the weeks before.
        days_recent: users of each day of the week, added up; at least one.
        days_before: the same of the weeks before.
    """

    n_recent: int
    n_before: int
    days_recent: int
    days_before: int

    @property
    def n_expected(self) -> float:
        """How many the week would have at the rate of the weeks before."""
        return self.n_before * self.days_recent / self.days_before

    def ratio(self) -> tuple[float, float, float]:
        """Rate of the week over that of the weeks before, with its exact 99.9 % interval.

        Of all cancellations together each is one of the week's by the same chance, a binomial one,
        which follows from the ratio of the rates: Przyborowski and Wilenski, "Homogeneity of
        results in testing samples from Poisson series" (1940). At least one must be there; the
        ratio is infinite where the weeks before have none.
        """
        n = self.n_recent + self.n_before
        ends = stats.binomtest(self.n_recent, n).proportion_ci(_CONFIDENCE, method="exact")
        scale = self.days_before / self.days_recent
        shares = self.n_recent / n, float(ends.low), float(ends.high)
        value, low, high = (
            scale * share / (1 - share) if share < 1 else math.inf for share in shares
        )
        return value, low, high


def count_cancellations(
    days: EventDays, night: date, log_start: date, skipped: Collection[date] = ()
) -> Cancellations | None:
    """What the days before a night have; None with less than two weeks before, or no cancellation.

    Of the six weeks before the middle two count, by their rate: what was unusual in seven days,
    which lie in two of these weeks, isn't held against this one. Of fewer weeks as many are left
    out at either end as leave two or three.

    Args:
        days: at least the newest seven weeks before the night.
        night: its date isn't over yet.
        log_start: first date of the log.
        skipped: days whose data are not to be used.
    """
    starts = [days_after(night, -_WEEK * (number + 1)) for number in range(WEEKS_BEFORE + 1)]
    weeks = [
        _count(days, [day for day in _week_from(start) if day not in skipped])
        for start in starts
        if start >= log_start
    ]
    if not weeks or not weeks[0][1]:
        return None
    recent, *before = weeks
    before = sorted((week for week in before if week[1]), key=lambda week: week[0] / week[1])
    if len(before) < _LEAST_WEEKS:
        return None
    extreme = (len(before) - _LEAST_WEEKS) // 2
    middle = before[extreme : len(before) - extreme]
    n_before, days_before = (sum(some) for some in zip(*middle, strict=True))
    if not recent[0] + n_before:
        return None
    return Cancellations(recent[0], n_before, recent[1], days_before)


def _week_from(start: date) -> list[date]:
    return days_between(start, days_after(start, _WEEK - 1))


def _count(days: EventDays, week: Sequence[date]) -> tuple[int, int]:
    """Users who have cancelled, and users of each day added up; none of a week that is lacking."""
    if sum(days.sum([day], USER) > 0 for day in week) < _LEAST_DAYS:
        return 0, 0
    return days.sum(week, CANCELLED), days.sum(week, USER)


def cancellation_row(found: Cancellations, night: date) -> dict[str, Any]:
    """The row of `performance` of a night; null for what is infinite."""
    names = "value", "low", "high"
    ratio = dict(zip(names, found.ratio(), strict=True))
    return {
        "basis": CANCELLATIONS,
        "window_start": night - timedelta(days=_WEEK),
        "window_end": night,
        "slice": ALL,
        "metric": "rate_vs_before",
        **{name: end if math.isfinite(end) else None for name, end in ratio.items()},
        "n_positive": found.n_recent,
        "reference": found.n_expected,
    }


def cancellations_told(rows: Iterable[Any]) -> list[str]:
    """A sentence for each row of `performance` that tells cancellations; others are left out."""
    return [describe_cancellations(row) for row in rows if row["basis"] == CANCELLATIONS]


def describe_cancellations(row: Mapping[str, Any]) -> str:
    """How many users have cancelled lately, of its row of `performance`."""
    said = (
        f"{count_of(int(row['n_positive']), 'user has', 'users have')} cancelled in the {_WEEK} "
        f"days before {row['window_end']}, {row['reference']:,.1f} expected at the rate of the "
        "weeks before"
    )
    if not row["reference"]:
        return said
    ends = f"99.9 % interval {row['low']:.2f} to {row['high']:.2f}"
    return f"{said}: {row['value']:.2f} times the usual rate ({ends})"
