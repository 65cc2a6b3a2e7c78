"""Formulas that count, and the one that looks up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Final

from churn_spark.contracts.features.formulas.formula import Formula, total, weekly_sums
from churn_spark.contracts.features.past import Past, Q, Trailing
from churn_spark.contracts.features.sources import PAGE_COUNTS

_WEEK: Final = 7
_DECAYED_WEEKS: Final = 8


@dataclass(frozen=True)
class Sum(Formula):
    """Sum of a column over the last days, over a scale.

    Attributes:
        source: column of a user's day.
        days: how many; 0 for all.
        scale: what the sum is divided by.
    """

    source: str
    days: int = 0
    scale: float = 1.0
    kind: ClassVar[str] = "sum"

    def value(self, past: Past[Q]) -> Q:
        """A whole number unless there is a scale."""
        found = past.sum_in(self.source, Trailing.days(self.days))
        return found if self.scale == 1.0 else found / self.scale

    @property
    def follows_calendar(self) -> bool:
        """Of a few days the weekday decides."""
        return 0 < self.days < _WEEK

    @property
    def window(self) -> int:
        """The days of the sum."""
        return self.days


@dataclass(frozen=True)
class Week(Formula):
    """Sum of a column in one week before the date; number 1 is the last one."""

    source: str
    number: int
    kind: ClassVar[str] = "week"

    def value(self, past: Past[Q]) -> Q:
        """A whole number."""
        return past.sum_in(self.source, Trailing.week(self.number))

    @property
    def window(self) -> int:
        """Up to the end of that week."""
        return Trailing.week(self.number).first

    @property
    def definition(self) -> Mapping[str, str | float]:
        """The week's number stands under `days`."""
        return {"aggregate": self.kind, "source": self.source, "days": self.number}


@dataclass(frozen=True)
class Decayed(Formula):
    """Weekly sums of a column, each week counting half of the one after it, eight weeks."""

    source: str
    kind: ClassVar[str] = "decayed"

    def value(self, past: Past[Q]) -> Q:
        """In units of the source."""
        weeks = weekly_sums(past, self.source, _DECAYED_WEEKS)
        return total(week / 2.0**age for age, week in enumerate(weeks))

    @property
    def window(self) -> int:
        """Its eight weeks."""
        return Trailing.week(_DECAYED_WEEKS).first


@dataclass(frozen=True)
class Kinds(Formula):
    """How many of the counted pages were visited in the last days."""

    days: int
    kind: ClassVar[str] = "kinds"

    def value(self, past: Past[Q]) -> Q:
        """A whole number."""
        days = Trailing.days(self.days)
        return total(past.when(past.sum_in(page, days) > 0, 1, 0) for page in PAGE_COUNTS)

    @property
    def window(self) -> int:
        """The days in which pages are counted."""
        return self.days


@dataclass(frozen=True)
class Last(Formula):
    """Newest known value of a column of the profile."""

    source: str
    kind: ClassVar[str] = "last"

    def value(self, past: Past[Q]) -> Q:
        """As it is."""
        return past.profile(self.source)

    @property
    def window(self) -> int:
        """It tells of the newest day alone."""
        return 1
