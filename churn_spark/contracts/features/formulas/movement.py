"""Formulas that compare the last four weeks with each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

from churn_spark.contracts.features.formulas.formula import Formula, total, weekly_sums
from churn_spark.contracts.features.past import Past, Q, Trailing

_WEEKS: Final = 4


@dataclass(frozen=True)
class _OfWeeks(Formula):
    """A formula over the sums of the last four weeks."""

    @property
    def window(self) -> int:
        """Four weeks."""
        return Trailing.week(_WEEKS).first


@dataclass(frozen=True)
class Trend(_OfWeeks):
    """(Last week + 1) over (mean week of the three before + 1)."""

    source: str
    kind: ClassVar[str] = "trend"

    def value(self, past: Past[Q]) -> Q:
        """1 where nothing has changed."""
        newest, *before = weekly_sums(past, self.source, _WEEKS)
        return (newest + 1.0) / (total(before) / float(len(before)) + 1.0)


@dataclass(frozen=True)
class Slope(_OfWeeks):
    """Least-squares slope of the weekly sums, a week."""

    source: str
    kind: ClassVar[str] = "slope"
    is_signed: ClassVar[bool] = True

    def value(self, past: Past[Q]) -> Q:
        """In units of the source a week."""
        middle = (_WEEKS - 1) / 2.0
        weights = [middle - age for age in range(_WEEKS)]
        weeks = weekly_sums(past, self.source, _WEEKS)
        moments = [week * weight for week, weight in zip(weeks, weights, strict=True)]
        return total(moments) / sum(weight**2 for weight in weights)


@dataclass(frozen=True)
class Spread(_OfWeeks):
    """Standard deviation of the weekly sums over (their mean + 1)."""

    source: str
    kind: ClassVar[str] = "spread"

    def value(self, past: Past[Q]) -> Q:
        """0 where all weeks are alike."""
        weeks = weekly_sums(past, self.source, _WEEKS)
        mean = total(weeks) / float(_WEEKS)
        variance = total((week - mean) * (week - mean) for week in weeks) / float(_WEEKS)
        return past.sqrt(variance) / (mean + 1.0)
