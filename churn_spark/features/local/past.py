"""A user's past as Polars columns: sums and extremes that were computed before, and the profile."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Final

import polars as pl

from churn_spark.contracts.features.asked import sum_column
from churn_spark.contracts.features.past import Trailing
from churn_spark.contracts.features.sources import PROFILE_FIELDS
from churn_spark.timeline import day_start_millis

_PROFILE = frozenset(name for columns in PROFILE_FIELDS.values() for name in columns)

ONE: Final = "one"
"""A column of ones. By a single number Polars multiplies with its reciprocal, whose last bit
differs; by a column it divides."""


def largest_column(source: str) -> str:
    """Name of the column with the largest value of a source on a day."""
    return f"largest_{source}"


class Term:
    """A column of answers; what is computed from something unknown is unknown too."""

    __slots__ = ("expr",)

    def __init__(self, expr: pl.Expr) -> None:
        self.expr = expr

    def __add__(self, other: Term | float, /) -> Term:
        """Sum."""
        return Term(self.expr + _expr(other))

    def __sub__(self, other: Term | float, /) -> Term:
        """Difference."""
        return Term(self.expr - _expr(other))

    def __mul__(self, other: Term | float, /) -> Term:
        """Product."""
        return Term(self.expr * _expr(other))

    def __truediv__(self, other: Term | float, /) -> Term:
        """Quotient; unknown where it would be by 0."""
        below = other.expr if isinstance(other, Term) else pl.col(ONE) * other
        return Term(self.expr / pl.when(below != 0).then(below))

    def __gt__(self, other: Term | float, /) -> Term:
        """Whether it is greater."""
        return Term(self.expr > _expr(other))


@dataclass(frozen=True)
class FramePast:
    """Answers formulas in columns of the history of all users as of one date.

    Attributes:
        as_of: the date.
        log_start: first date of the log.
        steps: columns that formulas use several times; a later one may use earlier ones.
    """

    as_of: date
    log_start: date
    steps: list[pl.Expr] = field(default_factory=list, init=False)

    def sum_in(self, source: str, days: Trailing, /) -> Term:
        """Sum of a column of the user's days; 0 where there is no such day."""
        return Term(pl.col(sum_column(source, days)))

    def largest(self, source: str, /) -> Term:
        """Largest value that a column has on a day; unknown where all are 0."""
        found = pl.col(largest_column(source))
        return Term(pl.when(found > 0).then(found))

    def profile(self, column: str, /) -> Term:
        """Newest known value of a column of the profile."""
        return Term(pl.col(column))

    def is_profile(self, column: str, value: str, /) -> Term:
        """Whether that is this value; false where it isn't known."""
        return Term((pl.col(column) == value).fill_null(value=False))

    def millis_since(self, instant: str, /) -> Term:
        """Milliseconds from an instant to the date."""
        end = day_start_millis(self.as_of)
        if instant == "log_start":
            return Term(pl.lit(end - day_start_millis(self.log_start)))
        return Term(end - pl.col(instant).dt.epoch("ms"))

    def when(
        self, condition: Term, then: Term | float, otherwise: Term | float | None = None, /
    ) -> Term:
        """The second where the condition is true, else the third."""
        return Term(pl.when(condition.expr).then(_expr(then)).otherwise(_expr(otherwise)))

    def least(self, *values: Term | float) -> Term:
        """Least of the known ones."""
        return Term(pl.min_horizontal(*map(_expr, values)))

    def greatest(self, *values: Term | float) -> Term:
        """Greatest of the known ones."""
        return Term(pl.max_horizontal(*map(_expr, values)))

    def sqrt(self, value: Term, /) -> Term:
        """Square root."""
        return Term(value.expr.sqrt())

    def floor(self, value: Term, /) -> Term:
        """The whole number at or below it."""
        return Term(value.expr.floor())

    def once(self, value: Term, /) -> Term:
        """A column of its own, which `steps` tells how to make."""
        name = f"_step_{len(self.steps)}"
        self.steps.append(value.expr.alias(name))
        return Term(pl.col(name))


def _expr(value: Term | float | None) -> pl.Expr:
    return value.expr if isinstance(value, Term) else pl.lit(value)
