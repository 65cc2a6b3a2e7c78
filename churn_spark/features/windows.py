"""Trailing windows: sums over a user's days before a date, one pass for all dates."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date

from pyspark.sql import DataFrame, Window, WindowSpec
from pyspark.sql import functions as F

from churn_spark.contracts.features.asked import sum_column
from churn_spark.contracts.features.past import ALL_DAYS, Trailing


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

    Grain: (as_of, user_id) for users with a day before the date. Columns: `sum_column(...)` of each
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
        F.coalesce(F.sum(source).over(_frame(days)), F.lit(0)).alias(sum_column(source, days))
        for source, days in sorted(sums)
    ]
    before = _frame(ALL_DAYS)
    extremes = [F.max(name).over(before).alias(name) for name in maxima] + [
        F.min(name).over(before).alias(name) for name in minima
    ]
    answered = rows.select(
        "user_id", F.col("event_date").alias("as_of"), "is_asked", *summed, *extremes
    )
    return answered.filter("is_asked").drop("is_asked")


def _frame(days: Trailing) -> WindowSpec:
    """The window over a user's rows, ordered by the number of the day."""
    begin = -days.first if days.first else Window.unboundedPreceding
    by_day = Window.partitionBy("user_id").orderBy("day_number")
    return by_day.rangeBetween(begin, -days.last)
