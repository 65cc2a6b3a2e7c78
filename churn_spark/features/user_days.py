"""Session days -> user days: what each user did on each date, before any window is laid."""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from operator import add

from pyspark.sql import Column, DataFrame, Window, WindowSpec
from pyspark.sql import functions as F

from churn_spark.contracts.features.sources import (
    EVENING_HOURS,
    HAZARD_COUNTS,
    LEVEL_CHANGE_COUNTS,
    MORNING_HOURS,
    PAGE_COUNTS,
    PROFILE_FIELDS,
    SATURDAY,
    THUMB_COUNTS,
)
from churn_spark.contracts.pages import PAID


def build_user_days(session_days: DataFrame) -> DataFrame:
    """Roll session days up to one row per user and date, with the derived counts.

    A session counts on the first date on which it has a logged-in event.

    Grain: (user_id, event_date); the columns of `PAGE_COUNTS` and `DERIVED_SOURCES`,
    `listened_micros`, `n_events`, a struct for each of `PROFILE_FIELDS`, the instants `last_ts`,
    `cancel_ts`, `level_changed_ts`.
    """
    dates_of_session: WindowSpec = Window.partitionBy("user_id", "session_id")
    active_date = F.when(F.col("n_events") > 0, F.col("event_date"))
    is_first_date = F.col("event_date") == F.min(active_date).over(dates_of_session)
    hour = F.hour("first_ts")
    sessions = session_days.withColumn("is_opened", F.coalesce(is_first_date, F.lit(False)))
    user_days = sessions.groupBy("user_id", "event_date").agg(
        *[F.sum(name).alias(name) for name in (*PAGE_COUNTS, "listened_micros", "n_events")],
        F.count_if("is_opened").alias("n_sessions"),
        F.count_if(F.col("is_opened") & hour.isin(*MORNING_HOURS)).alias("n_morning_sessions"),
        F.count_if(F.col("is_opened") & hour.isin(*EVENING_HOURS)).alias("n_evening_sessions"),
        *[_newest(field, columns).alias(field) for field, columns in PROFILE_FIELDS.items()],
        F.max("last_ts").alias("last_ts"),
        F.min("cancel_ts").alias("cancel_ts"),
    )
    return _with_gaps(_with_counts(user_days))


def _newest(field: str, columns: tuple[str, ...]) -> Column:
    seen = F.col(f"{field}_seen")
    return F.max(F.when(seen.isNotNull(), F.struct(seen.alias("seen"), *map(F.col, columns))))


def _with_counts(user_days: DataFrame) -> DataFrame:
    is_active = F.col("last_ts").isNotNull()
    is_paid = F.coalesce(F.col("level.level") == PAID, F.lit(False))
    changes = _sum(LEVEL_CHANGE_COUNTS)
    is_weekend = F.weekday("event_date") >= SATURDAY
    return user_days.withColumns(
        {
            "n_active_days": is_active.cast("long"),
            "n_paid_days": (is_active & is_paid).cast("long"),
            "n_weekend_sessions": F.when(is_weekend, F.col("n_sessions")).otherwise(0),
            "n_level_changes": changes,
            "level_changed_ts": F.when(changes > 0, F.col("event_date").cast("timestamp")),
            "n_thumbs": _sum(THUMB_COUNTS),
            "n_hazard_pages": _sum(HAZARD_COUNTS),
        }
    )


def _sum(columns: Iterable[str]) -> Column:
    return reduce(add, map(F.col, columns))


def _with_gaps(user_days: DataFrame) -> DataFrame:
    """Add the days since the active date before, on active dates that have one."""
    earlier = (
        Window.partitionBy("user_id")
        .orderBy("event_date")
        .rowsBetween(Window.unboundedPreceding, -1)
    )
    active_date = F.when(F.col("n_active_days") > 0, F.col("event_date"))
    gap = F.date_diff(active_date, F.max(active_date).over(earlier)).cast("long")
    return user_days.withColumns({"gap_days": gap}).withColumns(
        {
            "n_gaps": F.col("gap_days").isNotNull().cast("long"),
            "squared_gap_days": F.col("gap_days") * F.col("gap_days"),
        }
    )
