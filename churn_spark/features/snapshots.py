"""Session days -> snapshots: every feature of every living user, as of one or many dates."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date

from pyspark.sql import Column, DataFrame, Window, WindowSpec
from pyspark.sql import functions as F

from churn_spark.features.spec import FEATURES, PROFILE_FIELDS, Feature
from churn_spark.schemas import SNAPSHOTS, conform

_SECONDS_PER_DAY = 86_400.0


def build_snapshots(
    session_days: DataFrame, as_of_dates: Collection[date], active_days: int
) -> DataFrame:
    """The population as of each date, with every feature.

    Population: users with a logged-in event in `[D - active_days, D)` who have not cancelled
    before D.

    Grain: (as_of, user_id).
    """
    history = build_user_history(session_days, as_of_dates)
    is_active = F.date_diff("as_of", "last_active_date") <= active_days
    has_left = F.coalesce(F.to_date("cancel_ts") < F.col("as_of"), F.lit(False))
    return build_features(history.filter(is_active & ~has_left))


def build_lifetime_snapshots(session_days: DataFrame, as_of: date) -> DataFrame:
    """Everybody ever seen before the date, those who cancelled included, with every feature.

    Only for the retrospective label: it describes the past, it forecasts nothing.

    Grain: (as_of, user_id).
    """
    history = build_user_history(session_days, [as_of])
    return build_features(history.filter(F.col("last_active_date").isNotNull()))


def build_user_history(session_days: DataFrame, as_of_dates: Collection[date]) -> DataFrame:
    """What each user has done before each date: running totals and the newest known profile.

    One pass for all dates: a running window over the user's days, of which each date finds the
    newest day before it.

    Grain: (as_of, user_id) for users with any row before the date.
    """
    user_days = _build_user_days(session_days)
    upto_day = (
        Window.partitionBy("user_id")
        .orderBy("event_date")
        .rowsBetween(Window.unboundedPreceding, Window.currentRow)
    )
    by_day = Window.partitionBy("user_id").orderBy("event_date")
    running = user_days.select(
        "user_id",
        "event_date",
        F.lead("event_date").over(by_day).alias("next_date"),
        *[F.sum(name).over(upto_day).alias(name) for name in _summed_columns()],
        *[F.max(field).over(upto_day).alias(field) for field in PROFILE_FIELDS],
        F.max("last_active_date").over(upto_day).alias("last_active_date"),
        F.min("cancel_ts").over(upto_day).alias("cancel_ts"),
    )
    dates = F.array(*[F.lit(day) for day in sorted(as_of_dates)])

    def is_newest_before(day: Column) -> Column:
        is_last = F.col("next_date").isNull() | (F.col("next_date") >= day)
        return (F.col("event_date") < day) & is_last

    return running.withColumn("as_of", F.explode(F.filter(dates, is_newest_before)))


def build_features(history: DataFrame) -> DataFrame:
    """The declared features from running totals and profile.

    Grain: that of `history`, (as_of, user_id).
    """
    features = [_feature_column(feature).alias(feature.name) for feature in FEATURES]
    return conform(history.select("as_of", "user_id", *features), SNAPSHOTS)


def _summed_columns() -> list[str]:
    sources = {f.source for f in FEATURES if f.aggregate in ("sum", "ratio")}
    return sorted(sources | {f.per for f in FEATURES if f.per})


def _build_user_days(session_days: DataFrame) -> DataFrame:
    """One row per user and date; a session counts on the first date it was logged in on."""
    dates_of_session: WindowSpec = Window.partitionBy("user_id", "session_id")
    active_date = F.when(F.col("n_events") > 0, F.col("event_date"))
    is_first_date = F.col("event_date") == F.min(active_date).over(dates_of_session)
    with_sessions = session_days.withColumn(
        "n_sessions", F.coalesce(is_first_date, F.lit(False)).cast("long")
    )
    profile = [
        F.max(
            F.when(
                F.col(f"{field}_seen").isNotNull(),
                F.struct(F.col(f"{field}_seen").alias("seen"), *map(F.col, columns)),
            )
        ).alias(field)
        for field, columns in PROFILE_FIELDS.items()
    ]
    return with_sessions.groupBy("user_id", "event_date").agg(
        *[F.sum(name).alias(name) for name in _summed_columns()],
        *profile,
        F.max(active_date).alias("last_active_date"),
        F.min("cancel_ts").alias("cancel_ts"),
    )


def _feature_column(feature: Feature) -> Column:
    source = F.col(feature.source)
    if feature.aggregate == "sum":
        return source if feature.scale == 1.0 else source / feature.scale
    if feature.aggregate == "ratio":
        return source / F.col(feature.per)
    known = _profile_column(feature.source)
    if feature.aggregate == "last":
        return known
    as_of_seconds = F.unix_seconds(F.col("as_of").cast("timestamp"))
    return (as_of_seconds * 1000 - F.unix_millis(known)) / (_SECONDS_PER_DAY * 1000)


def _profile_column(name: str) -> Column:
    field = next(field for field, columns in PROFILE_FIELDS.items() if name in columns)
    return F.col(f"{field}.{name}")
