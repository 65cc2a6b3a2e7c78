"""Formulas that compare a user with the same user before: has the pace changed?

Visits are taken for a Poisson process whose rate is the user's own, with a gamma prior worth some
days of a typical user: what little is known of newcomers says little.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Final

from churn_spark.contracts.features.formulas.formula import Formula
from churn_spark.contracts.features.formulas.rates import Exposure
from churn_spark.contracts.features.past import ALL_DAYS, Past, Q, Trailing
from churn_spark.timeline import MILLIS_PER_DAY

_LOG_2: Final = math.log(2.0)
_ROOTS: Final = 4
_COEFFICIENTS: Final = tuple(1.0 / (2.0 * n + 1.0) for n in range(16))


def natural_log(past: Past[Q], value: Q) -> Q:
    """The logarithm of a number from 1 to 1,000, right to 1e-12.

    From square roots and arithmetic alone, which Spark, Polars and Python round alike: their own
    logarithms differ in the last bit.
    """
    root = value
    for _ in range(_ROOTS):
        root = past.sqrt(root)
    root = past.once(root)
    return _log_of_quotient(past, root - 1.0, root + 1.0) * 2.0**_ROOTS


def _log_of_quotient(past: Past[Q], difference: Q, together: Q) -> Q:
    """The logarithm of a over b, by a - b and a + b: twice the inverse hyperbolic tangent."""
    share = past.once(difference / together)
    square = past.once(share * share)
    *lower, before_last, last = _COEFFICIENTS
    series = square * last + before_last
    for coefficient in reversed(lower):
        series = series * square + coefficient
    return series * share * 2.0


@dataclass(frozen=True)
class _OwnRate(Formula):
    """A formula over the user's own rate, per exposure.

    Attributes:
        source: column of a user's day.
        days: the last ones, which are compared with those before.
        prior: what is expected a day of a user who isn't known.
        prior_weight: how many days that expectation is worth.
    """

    source: str
    days: int
    prior: float
    prior_weight: float

    @property
    def definition(self) -> Mapping[str, str | float]:
        """Per exposure, as a rate."""
        return {**super().definition, "per": "exposure"}


@dataclass(frozen=True)
class OwnPace(_OwnRate):
    """(Sum of a column in the last days + 1) over (expected at the rate of the days before + 1)."""

    kind: ClassVar[str] = "own_pace"

    def value(self, past: Past[Q]) -> Q:
        """1 where nothing has changed."""
        recent = past.sum_in(self.source, Trailing.days(self.days))
        before = past.sum_in(self.source, ALL_DAYS) - recent
        exposure = Exposure().value(past)
        lately = past.least(exposure, float(self.days))
        rate = (before + self.prior * self.prior_weight) / (exposure - lately + self.prior_weight)
        return (recent + 1.0) / (rate * lately + 1.0)


@dataclass(frozen=True)
class Slowdown(_OwnRate):
    """How much likelier the last days are if pauses are twice as long since, as a logarithm.

    With n and N visits in the last t and in all T days, and a gamma prior of N0 visits in T0 days,
    the log likelihood ratio is (N0 + N) log((T0 + T) / (T0 + T - t / 2)) - n log 2.
    """

    kind: ClassVar[str] = "slowdown"
    is_signed: ClassVar[bool] = True

    def value(self, past: Past[Q]) -> Q:
        """In nats, above 0 where a slower pace explains the last days better."""
        recent = past.sum_in(self.source, Trailing.days(self.days))
        visits = past.sum_in(self.source, ALL_DAYS) + self.prior * self.prior_weight
        exposure = Exposure().value(past)
        half = past.least(exposure, float(self.days)) / 2.0
        known = exposure + self.prior_weight
        return visits * _log_of_quotient(past, half, known * 2.0 - half) - recent * _LOG_2


@dataclass(frozen=True)
class PauseSurvival(Formula):
    """The logarithm of the chance that a pause of the user is as long as the present one.

    With N visits in the T days before the pause, which lasts t, and a gamma prior of N0 visits in
    T0 days, it is -(N0 + N) log(1 + t / (T0 + T)).
    """

    source: str
    prior: float
    prior_weight: float
    kind: ClassVar[str] = "pause_survival"
    is_signed: ClassVar[bool] = True

    def value(self, past: Past[Q]) -> Q:
        """In nats, at most 0; far below where nobody would have expected such a pause."""
        pause = past.millis_since("last_ts") / MILLIS_PER_DAY
        before = past.greatest(Exposure().value(past) - pause, 0.0) + self.prior_weight
        visits = past.sum_in(self.source, ALL_DAYS) + self.prior * self.prior_weight
        return natural_log(past, pause / before + 1.0) * visits * -1.0

    @property
    def follows_calendar(self) -> bool:
        """It grows with each night without an event."""
        return True

    @property
    def definition(self) -> Mapping[str, str | float]:
        """Per exposure, as a rate."""
        return {**super().definition, "per": "exposure"}
