"""Whether more, or fewer, users cancel than in the weeks before: known at once, without labels.

Labels tell after two weeks that a model's probabilities no longer fit. That three times as many
users cancel is to be seen after days, from the counts of the log alone: a week's cancellations
beside those of the four weeks before it, each per event, so that a growing service, a holiday and a
day that has not come in change nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

from scipy import stats

from churn_spark.contracts.event_facts import EVENT, OTHERS
from churn_spark.contracts.features.segments import ALL
from churn_spark.contracts.pages import Page
from churn_spark.monitoring.data_quality.event_days import EventDays
from churn_spark.timeline import days_after, days_between
from churn_spark.wording import count_of

CANCELLATIONS: Final = "cancellations"
"""Basis of these rows of `performance`."""
RECENT_DAYS: Final = 7
BEFORE_DAYS: Final = 28
_LEAST_BEFORE: Final = 14
_CONFIDENCE: Final = 0.999
"""It is looked at each night: at 95 % one night in twenty would be beyond chance."""
_PAGE: Final = "page"


@dataclass(frozen=True)
class Cancellations:
    """A week's cancellations and those of the weeks before it.

    Attributes:
        n_recent: of the week.
        n_before: of the weeks before.
        events_recent: events of the week, at least one.
        events_before: events of the weeks before, at least one.
    """

    n_recent: int
    n_before: int
    events_recent: int
    events_before: int

    @property
    def n_expected(self) -> float:
        """How many the week would have at the rate of the weeks before."""
        return self.n_before * self.events_recent / self.events_before

    def ratio(self) -> tuple[float, float, float]:
        """Rate of the week over that of the weeks before, with its exact 99.9 % interval.

        Of all cancellations together each is one of the week's by the same chance, a binomial one,
        which follows from the ratio of the rates: Przyborowski and Wilenski, "Homogeneity of
        results in testing samples from Poisson series" (1940). At least one must be there; the
        ratio is infinite where the weeks before have none.
        """
        n = self.n_recent + self.n_before
        ends = stats.binomtest(self.n_recent, n).proportion_ci(_CONFIDENCE, method="exact")
        scale = self.events_before / self.events_recent
        shares = self.n_recent / n, float(ends.low), float(ends.high)
        value, low, high = (
            scale * share / (1 - share) if share < 1 else float("inf") for share in shares
        )
        return value, low, high


def count_cancellations(days: EventDays, night: date, log_start: date) -> Cancellations | None:
    """What the days before a night have; none where that tells nothing.

    That is so with less than two weeks before the week, without any cancellation, and where pages
    are not all counted by name, since a service has too many of them.

    Args:
        days: at least the newest five weeks before the night.
        night: its date isn't over yet.
        log_start: first date of the log.
    """
    week = days_between(days_after(night, -RECENT_DAYS), days_after(night, -1))
    first = max(log_start, days_after(week[0], -BEFORE_DAYS))
    before = days_between(first, days_after(week[0], -1))
    if len(before) < _LEAST_BEFORE or days.sum([*before, *week], _PAGE, OTHERS):
        return None
    found = Cancellations(
        *(days.sum(some, _PAGE, Page.CANCELLATION_CONFIRMATION) for some in (week, before)),
        *(days.sum(some, EVENT) for some in (week, before)),
    )
    is_known = found.events_recent and found.events_before and found.n_recent + found.n_before
    return found if is_known else None


def cancellation_row(found: Cancellations, night: date) -> dict[str, Any]:
    """The row of `performance` of a night."""
    value, low, high = found.ratio()
    return {
        "basis": CANCELLATIONS,
        "window_start": night - timedelta(days=RECENT_DAYS),
        "window_end": night,
        "slice": ALL,
        "metric": "rate_vs_before",
        "value": value,
        "low": low,
        "high": high,
        "n_positive": found.n_recent,
        "n_cancels": found.n_recent,
        "reference": found.n_expected,
    }


def describe_cancellations(row: Mapping[str, Any]) -> str:
    """How many users have cancelled lately, of its row of `performance`."""
    said = (
        f"{count_of(int(row['n_positive']), 'cancellation')} in the {RECENT_DAYS} days before "
        f"{row['window_end']}, {row['reference']:,.1f} expected at the rate of the weeks before"
    )
    if not row["reference"]:
        return said
    return f"{said}: {row['value']:.2f} times as many [{row['low']:.2f}, {row['high']:.2f}]"
