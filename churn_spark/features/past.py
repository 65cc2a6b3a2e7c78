"""A user's past as Spark columns: sums and extremes that windows were laid for, and the profile."""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F

from churn_spark.contracts.features.asked import sum_column
from churn_spark.contracts.features.past import Trailing
from churn_spark.contracts.features.sources import PROFILE_FIELDS

_FIELD_OF = {name: field for field, columns in PROFILE_FIELDS.items() for name in columns}


class Term:
    """A column of answers; what is computed from something unknown is unknown too."""

    __slots__ = ("column",)

    def __init__(self, column: Column) -> None:
        self.column = column

    def __add__(self, other: Term | float, /) -> Term:
        """Sum."""
        return Term(self.column + _column(other))

    def __sub__(self, other: Term | float, /) -> Term:
        """Difference."""
        return Term(self.column - _column(other))

    def __mul__(self, other: Term | float, /) -> Term:
        """Product."""
        return Term(self.column * _column(other))

    def __truediv__(self, other: Term | float, /) -> Term:
        """Quotient; unknown where it would be by 0, which ANSI mode takes for an error."""
        return Term(self.column / F.nullif(_column(other), F.lit(0)))

    def __gt__(self, other: Term | float, /) -> Term:
        """Whether it is greater."""
        return Term(self.column > _column(other))


class ColumnPast:
    """Answers formulas in columns of a user's history.

    Attributes:
        steps: what formulas use several times, by the names of its columns; a later one may use
            earlier ones.
    """

    def __init__(self) -> None:
        self.steps: dict[str, Column] = {}

    def sum_in(self, source: str, days: Trailing, /) -> Term:
        """Sum of a column of the user's days; 0 where there is no such day."""
        return Term(F.col(sum_column(source, days)))

    def largest(self, source: str, /) -> Term:
        """Largest value that a column has on a day; unknown where all are 0."""
        return Term(F.when(F.col(source) > 0, F.col(source)))

    def profile(self, column: str, /) -> Term:
        """Newest known value of a column of the profile."""
        return Term(F.col(f"{_FIELD_OF[column]}.{column}"))

    def is_profile(self, column: str, value: str, /) -> Term:
        """Whether that is this value; false where it isn't known."""
        return Term(F.coalesce(self.profile(column).column == value, F.lit(False)))

    def millis_since(self, instant: str, /) -> Term:
        """Milliseconds from an instant to the as-of date."""
        column = self.profile(instant).column if instant in _FIELD_OF else F.col(instant)
        as_of_seconds = F.unix_seconds(F.col("as_of").cast("timestamp"))
        return Term(as_of_seconds * 1000 - F.unix_millis(column))

    def when(
        self, condition: Term, then: Term | float, otherwise: Term | float | None = None, /
    ) -> Term:
        """The second where the condition is true, else the third."""
        chosen = F.when(condition.column, _column(then))
        return Term(chosen if otherwise is None else chosen.otherwise(_column(otherwise)))

    def least(self, *values: Term | float) -> Term:
        """Least of the known ones."""
        return Term(F.least(*map(_column, values)))

    def greatest(self, *values: Term | float) -> Term:
        """Greatest of the known ones."""
        return Term(F.greatest(*map(_column, values)))

    def sqrt(self, value: Term, /) -> Term:
        """Square root."""
        return Term(F.sqrt(value.column))

    def floor(self, value: Term, /) -> Term:
        """The whole number at or below it."""
        return Term(F.floor(value.column))

    def once(self, value: Term, /) -> Term:
        """A column of its own, which `steps` tells how to make."""
        name = f"_step_{len(self.steps)}"
        self.steps[name] = value.column
        return Term(F.col(name))


def _column(value: Term | float) -> Column:
    return value.column if isinstance(value, Term) else F.lit(value)
