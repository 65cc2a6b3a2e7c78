"""Session days -> snapshots: every feature of every living user, as of one or many dates."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from churn_spark.contracts.features.asked import Asked
from churn_spark.contracts.features.spec import PROFILE_FIELDS, SNAPSHOT_FEATURES, LogFeature
from churn_spark.contracts.pages import PAID
from churn_spark.contracts.tables import SNAPSHOTS
from churn_spark.features.past import ColumnPast
from churn_spark.features.user_days import build_user_days
from churn_spark.features.windows import lay_windows
from churn_spark.lakehouse.schema import conform
from churn_spark.timeline import Horizon

_NEWEST = (*PROFILE_FIELDS, "last_ts", "level_changed_ts", "last_active_date")


def build_snapshots(
    session_days: DataFrame,
    as_of_dates: Collection[date],
    active_days: int,
    log_start: date | None = None,
    *,
    only_paid: bool = False,
    ending: Horizon | None = None,
) -> DataFrame:
    """The population as of each date, with every feature that follows from the log.

    Population: users with a logged-in event in `[D - active_days, D)` who have not cancelled
    before D.

    Args:
        session_days: of whole users.
        as_of_dates: the dates.
        active_days: how long a user counts as active.
        log_start: first date of the log; that of the session days where none is given.
        only_paid: whether only who was paying then is of the population.
        ending: only whose subscription, as known then, runs out in this window; None: everybody.

    Grain: (as_of, user_id).
    """
    history = build_user_history(session_days, as_of_dates, log_start=log_start)
    is_active = F.date_diff("as_of", "last_active_date") <= active_days
    has_left = F.coalesce(F.to_date("cancel_ts") < F.col("as_of"), F.lit(False))
    population = history.filter(is_active & ~has_left)
    if only_paid:
        population = population.filter(ColumnPast().is_profile("level", PAID).column)
    if ending is not None:
        end = F.to_date(ColumnPast().profile("subscribed_until_ts").column)
        days_ahead = F.date_diff(end, F.col("as_of"))
        population = population.filter(days_ahead.between(ending.gap_days, ending.last_day))
    return conform(build_features(population), SNAPSHOTS)


def build_lifetime_snapshots(
    session_days: DataFrame, as_of: date, log_start: date | None = None
) -> DataFrame:
    """Everybody ever seen before the date, those who cancelled included, with every feature.

    Only for the retrospective label: it describes the past, it forecasts nothing.

    Grain: (as_of, user_id).
    """
    history = build_user_history(session_days, [as_of], log_start=log_start)
    everybody = history.filter(F.col("last_active_date").isNotNull())
    return conform(build_features(everybody), SNAPSHOTS)


def build_user_history(
    session_days: DataFrame,
    as_of_dates: Collection[date],
    features: Collection[LogFeature] = SNAPSHOT_FEATURES,
    log_start: date | None = None,
) -> DataFrame:
    """What each user has done before each date: all that the features are made of.

    Grain: (as_of, user_id) for users with any row before the date.
    """
    is_active = F.col("n_events") > 0
    user_days = build_user_days(session_days).withColumn(
        "last_active_date", F.when(is_active, F.col("event_date"))
    )
    asked = Asked.by(feature.formula for feature in features)
    maxima = [*_NEWEST, *sorted(asked.maxima)]
    history = lay_windows(user_days, as_of_dates, asked.sums, maxima, ["cancel_ts"])
    if log_start is not None:
        return history.withColumn("log_start", F.lit(log_start).cast("timestamp"))
    first_date = session_days.agg(F.min("event_date").cast("timestamp").alias("log_start"))
    return history.crossJoin(F.broadcast(first_date))


def build_features(
    history: DataFrame, features: Collection[LogFeature] = SNAPSHOT_FEATURES
) -> DataFrame:
    """The declared features, from what users have done.

    Grain: that of `history`, (as_of, user_id).
    """
    past = ColumnPast()
    columns = [
        feature.formula.value(past).column.cast(feature.data_type).alias(feature.name)
        for feature in features
    ]
    for name, column in past.steps.items():
        history = history.withColumn(name, column)
    return history.select("as_of", "user_id", *columns)
