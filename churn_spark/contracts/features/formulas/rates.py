"""Formulas that divide: how often something happens, shrunken towards what is typical.

A prior is what is expected of a user who isn't known, its weight how much of the denominator
that expectation is worth. It keeps users of whom little is known near the typical user.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from churn_spark.contracts.features.formulas.formula import Formula
from churn_spark.contracts.features.past import ALL_DAYS, Past, Q, Trailing
from churn_spark.timeline import MILLIS_PER_DAY


@dataclass(frozen=True)
class Exposure(Formula):
    """Days in which the user could have come: since registration or the log's start."""

    kind: ClassVar[str] = "exposure"
    tells_instant: ClassVar[bool] = True

    def value(self, past: Past[Q]) -> Q:
        """Days since the later of the two, with their fraction."""
        millis = past.least(past.millis_since("log_start"), past.millis_since("registered_ts"))
        return past.greatest(millis / MILLIS_PER_DAY, 0.0)

    @property
    def definition(self) -> Mapping[str, str | float]:
        """The instant that isn't the log's start stands under `source`."""
        return {"aggregate": self.kind, "source": "registered_ts"}


@dataclass(frozen=True)
class Ratio(Formula):
    """(Sum of a column + prior x its weight) x scale over (sum of another + the weight).

    Attributes:
        source: column of a user's day.
        per: column that it is divided by.
        scale: how many of those the value is for.
        prior: what is expected of a user who isn't known.
        prior_weight: how much of `per` that expectation is worth.
    """

    source: str
    per: str
    scale: float = 1.0
    prior: float = 0.0
    prior_weight: float = 0.0
    kind: ClassVar[str] = "ratio"

    def value(self, past: Past[Q]) -> Q:
        """Unknown where the denominator is 0."""
        above = past.sum_in(self.source, ALL_DAYS) + self.prior * self.prior_weight
        below = past.sum_in(self.per, ALL_DAYS) + self.prior_weight
        return past.when(below > 0, above * self.scale / below)


@dataclass(frozen=True)
class Rate(Formula):
    """The ratio whose denominator is the exposure, in days."""

    source: str
    prior: float
    prior_weight: float
    scale: float = 1.0
    kind: ClassVar[str] = "ratio"

    def value(self, past: Past[Q]) -> Q:
        """For each `scale` days."""
        above = past.sum_in(self.source, ALL_DAYS) + self.prior * self.prior_weight
        below = Exposure().value(past) + self.prior_weight
        return past.when(below > 0, above * self.scale / below)

    @property
    def definition(self) -> Mapping[str, str | float]:
        """A ratio per exposure."""
        return {**super().definition, "per": "exposure"}


@dataclass(frozen=True)
class IfLevel(Formula):
    """A ratio while the level is the last known one, else 0."""

    level: str
    ratio: Ratio
    kind: ClassVar[str] = "if_level"

    def value(self, past: Past[Q]) -> Q:
        """0 where the level isn't known."""
        return past.when(past.is_profile("level", self.level), self.ratio.value(past), 0.0)

    @property
    def definition(self) -> Mapping[str, str | float]:
        """That of the ratio, with the level."""
        return {**self.ratio.definition, "aggregate": self.kind, "level": self.level}


@dataclass(frozen=True)
class Surprise(Formula):
    """How far the last days are from what the days before them promise, in deviations.

    (Sum of a column in the last days - expected) over the square root of (expected + 1/2),
    expected from the rate of the days before.
    """

    source: str
    days: int
    prior: float
    prior_weight: float
    kind: ClassVar[str] = "surprise"
    is_signed: ClassVar[bool] = True

    def value(self, past: Past[Q]) -> Q:
        """Above 0 where there was more than expected."""
        recent = past.sum_in(self.source, Trailing.days(self.days))
        before = past.sum_in(self.source, ALL_DAYS) - recent
        exposure = past.greatest(Exposure().value(past) - self.days, 0.0)
        rate = (before + self.prior * self.prior_weight) / (exposure + self.prior_weight)
        expected = rate * self.days
        return (recent - expected) / past.sqrt(expected + 0.5)

    @property
    def definition(self) -> Mapping[str, str | float]:
        """Per exposure, as a rate."""
        return {**super().definition, "per": "exposure"}


@dataclass(frozen=True)
class Silence(Formula):
    """The rate times the days since the last event: what should have happened since."""

    source: str
    prior: float
    prior_weight: float
    kind: ClassVar[str] = "silence"

    def value(self, past: Past[Q]) -> Q:
        """In units of the source."""
        rate = Rate(self.source, self.prior, self.prior_weight).value(past)
        return rate * past.millis_since("last_ts") / MILLIS_PER_DAY

    @property
    def follows_calendar(self) -> bool:
        """It grows with each night without an event."""
        return True

    @property
    def definition(self) -> Mapping[str, str | float]:
        """Per exposure, as a rate."""
        return {**super().definition, "per": "exposure"}
