"""A user's past as Spark columns: sums and extremes that windows were laid for, and the profile."""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F

from churn_spark.contracts.features.asked import sum_column
from churn_spark.contracts.features.past import Trailing
from churn_spark.contracts.features.sources import PROFILE_FIELDS

_FIELD_OF = {name: field for field, columns in PROFILE_FIELDS.items() for name in columns}


class ColumnPast:
    """Answers formulas in columns of a user's history."""

    def sum_in(self, source: str, days: Trailing, /) -> Column:
        """Sum of a column of the user's days; 0 where there is no such day."""
        return F.col(sum_column(source, days))

    def largest(self, source: str, /) -> Column:
        """Largest value that a column has on a day; unknown where all are 0."""
        return F.when(F.col(source) > 0, F.col(source))

    def profile(self, column: str, /) -> Column:
        """Newest known value of a column of the profile."""
        return F.col(f"{_FIELD_OF[column]}.{column}")

    def is_profile(self, column: str, value: str, /) -> Column:
        """Whether that is this value; false where it isn't known."""
        return F.coalesce(self.profile(column) == value, F.lit(False))

    def millis_since(self, instant: str, /) -> Column:
        """Milliseconds from an instant to the as-of date."""
        column = self.profile(instant) if instant in _FIELD_OF else F.col(instant)
        as_of_seconds = F.unix_seconds(F.col("as_of").cast("timestamp"))
        return as_of_seconds * 1000 - F.unix_millis(column)

    def when(
        self, condition: Column, then: Column | float, otherwise: Column | float | None = None, /
    ) -> Column:
        """The second where the condition is true, else the third."""
        chosen = F.when(condition, then)
        return chosen if otherwise is None else chosen.otherwise(otherwise)

    def least(self, *values: Column | float) -> Column:
        """Least of the known ones."""
        return F.least(*map(_column, values))

    def greatest(self, *values: Column | float) -> Column:
        """Greatest of the known ones."""
        return F.greatest(*map(_column, values))

    def sqrt(self, value: Column, /) -> Column:
        """Square root."""
        return F.sqrt(value)

    def floor(self, value: Column, /) -> Column:
        """The whole number at or below it."""
        return F.floor(value)


def _column(value: Column | float) -> Column:
    return value if isinstance(value, Column) else F.lit(value)
