"""Formulas about time: since when, and how long the pauses are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from churn_spark.contracts.features.formulas.formula import Formula, total
from churn_spark.contracts.features.past import ALL_DAYS, Past, Q
from churn_spark.timeline import MILLIS_PER_DAY, MILLIS_PER_HOUR


@dataclass(frozen=True)
class _Moving(Formula):
    """A formula whose value is another one on the next night."""

    @property
    def follows_calendar(self) -> bool:
        """Always."""
        return True


@dataclass(frozen=True)
class _OfOneDate(_Moving):
    """A formula over a single past date."""

    follows_one_date: ClassVar[bool] = True


@dataclass(frozen=True)
class DaysSince(_OfOneDate):
    """Days from an instant to the date, with their fraction."""

    source: str
    kind: ClassVar[str] = "days_since"
    tells_instant: ClassVar[bool] = True

    def value(self, past: Past[Q]) -> Q:
        """Unknown where the instant is."""
        return past.millis_since(self.source) / MILLIS_PER_DAY


@dataclass(frozen=True)
class HoursSince(_Moving):
    """Hours from an instant to the date, with their fraction."""

    source: str
    kind: ClassVar[str] = "hours_since"
    tells_instant: ClassVar[bool] = True

    def value(self, past: Past[Q]) -> Q:
        """Unknown where the instant is."""
        return past.millis_since(self.source) / MILLIS_PER_HOUR


@dataclass(frozen=True)
class Cycle(_OfOneDate):
    """Days since an instant, modulo a number of days."""

    source: str
    days: int
    kind: ClassVar[str] = "cycle"
    tells_instant: ClassVar[bool] = True

    def value(self, past: Past[Q]) -> Q:
        """From 0 to the length of the cycle."""
        since = DaysSince(self.source).value(past)
        return since - past.floor(since / self.days) * self.days


def _dates_since(past: Past[Q], source: str) -> Q:
    """Dates from that of an instant to the date; that of a day before is 1."""
    return past.floor((past.millis_since(source) + (MILLIS_PER_DAY - 1.0)) / MILLIS_PER_DAY)


@dataclass(frozen=True)
class CycleAhead(_OfOneDate):
    """Dates from the date to the next one on which a cycle begins anew."""

    source: str
    days: int
    kind: ClassVar[str] = "cycle_ahead"

    def value(self, past: Past[Q]) -> Q:
        """From 0, the date itself, to one less than the cycle's length."""
        before = _dates_since(past, self.source) - 1.0
        return (past.floor(before / self.days) + 1.0) * self.days - before - 1.0

    @property
    def n_phases(self) -> int:
        """One for each date of a cycle."""
        return self.days


@dataclass(frozen=True)
class CycleBegins(_OfOneDate):
    """How many of some coming dates are among the first ones of a cycle.

    Attributes:
        source: instant on whose date the first cycle begins.
        days: length of a cycle.
        noticed: dates at the start of a cycle that count.
        first: of the coming dates; 0 is the date itself.
        last: of them.
    """

    source: str
    days: int
    noticed: int
    first: int
    last: int
    kind: ClassVar[str] = "cycle_begins"

    def value(self, past: Past[Q]) -> Q:
        """A whole number."""
        since = _dates_since(past, self.source)
        return total(
            past.floor((since + float(self.last - day)) / self.days)
            - past.floor((since + float(self.first - day - 1)) / self.days)
            for day in range(self.noticed)
        )

    @property
    def n_phases(self) -> int:
        """None to all of the first dates of one cycle."""
        return self.noticed + 1


@dataclass(frozen=True)
class _OfGaps(_Moving):
    """A formula over the days between active dates."""

    @property
    def definition(self) -> Mapping[str, str | float]:
        """Its source is the gaps."""
        return {"aggregate": self.kind, "source": "gap_days"}


@dataclass(frozen=True)
class GapSpread(_OfGaps):
    """Standard deviation of the days between active dates."""

    kind: ClassVar[str] = "gap_spread"

    def value(self, past: Past[Q]) -> Q:
        """Unknown where there is no gap."""
        n, days = past.sum_in("n_gaps", ALL_DAYS), past.sum_in("gap_days", ALL_DAYS)
        squares = past.sum_in("squared_gap_days", ALL_DAYS)
        # In whole numbers, so that equal gaps give exactly 0.
        return past.when(n > 0, past.sqrt(n * squares - days * days) / n)


@dataclass(frozen=True)
class LongestGap(_OfGaps):
    """Most days between two active dates."""

    kind: ClassVar[str] = "longest"

    def value(self, past: Past[Q]) -> Q:
        """Unknown where there is no gap."""
        return past.largest("gap_days")


@dataclass(frozen=True)
class RelativeGap(_Moving):
    """Days since the last event over (the mean days between active dates + 1)."""

    kind: ClassVar[str] = "relative_gap"

    def value(self, past: Past[Q]) -> Q:
        """Unknown where there is no gap."""
        n = past.sum_in("n_gaps", ALL_DAYS)
        mean_gap = past.when(n > 0, past.sum_in("gap_days", ALL_DAYS) / n)
        return past.millis_since("last_ts") / MILLIS_PER_DAY / (mean_gap + 1.0)

    @property
    def definition(self) -> Mapping[str, str | float]:
        """Its source is the last event."""
        return {"aggregate": self.kind, "source": "last_ts"}
