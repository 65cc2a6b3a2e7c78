"""Trailing windows: sums over a user's days before a date, one pass for all dates."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date

from pyspark.sql import Column, DataFrame, Window, WindowSpec
from pyspark.sql import functions as F


@dataclass(frozen=True, order=True)
class Trailing:
    """Days before a date D, `[D - first, D - last]`.

    Attributes:
        first: how many days before D it begins; 0: with the first day there is.
        last: how many days before D it ends, that day included; at least 1.
    """

    first: int = 0
    last: int = 1

    @classmethod
    def days(cls, n: int) -> Trailing:
        """The last `n` days; 0 for all."""
        return cls(n, 1)

    @classmethod
    def week(cls, number: int) -> Trailing:
        """Seven days; number 1 ends with the day before D."""
        return cls(7 * number, 7 * number - 6)

    @property
    def suffix(self) -> str:
        """Of a column that holds a sum over these days."""
        return f"__{self.first}_{self.last}"

    @property
    def frame(self) -> WindowSpec:
        """The window over a user's rows, ordered by the number of the day."""
        begin = -self.first if self.first else Window.unboundedPreceding
        by_day = Window.partitionBy("user_id").orderBy("day_number")
        return by_day.rangeBetween(begin, -self.last)


ALL_DAYS = Trailing()


def sum_in(source: str, window: Trailing) -> Column:
    """The column in which `lay_windows` puts the sum of a source."""
    return F.col(f"{source}{window.suffix}")


def lay_windows(
    user_days: DataFrame,
    as_of_dates: Collection[date],
    sums: Collection[tuple[str, Trailing]],
    maxima: Sequence[str],
    minima: Sequence[str],
) -> DataFrame:
    """Sum sources over windows before each date, and keep extremes of all days before it.

    A row for the date itself, which has nothing to add, is put among the user's days; the
    frames of that row are the windows before the date.

    Grain: (as_of, user_id) for users with a day before the date. Columns: `sum_in(...)` of each
    pair, 0 where there is no such day; the columns of `maxima` and `minima`.
    """
    dates = F.array(*[F.lit(day) for day in sorted(as_of_dates)])
    first_day = user_days.groupBy("user_id").agg(F.min("event_date").alias("first_date"))
    asked = first_day.select(
        "user_id",
        F.explode(F.filter(dates, lambda day: day > F.col("first_date"))).alias("event_date"),
        F.lit(True).alias("is_asked"),
    )
    rows = user_days.unionByName(asked, allowMissingColumns=True).withColumn(
        "day_number", F.unix_date("event_date")
    )
    summed = [
        F.coalesce(F.sum(source).over(window.frame), F.lit(0)).alias(f"{source}{window.suffix}")
        for source, window in sorted(sums)
    ]
    extremes = [F.max(name).over(ALL_DAYS.frame).alias(name) for name in maxima] + [
        F.min(name).over(ALL_DAYS.frame).alias(name) for name in minima
    ]
    answered = rows.select(
        "user_id", F.col("event_date").alias("as_of"), "is_asked", *summed, *extremes
    )
    return answered.filter("is_asked").drop("is_asked")
