"""Session days -> labels: who cancels in the window after each as-of date."""

from __future__ import annotations

from datetime import date, timedelta

import polars as pl
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from churn_spark.contracts.tables import LABELS
from churn_spark.lakehouse.polars_schema import conform_polars
from churn_spark.timeline import Horizon


def build_labels(
    population: pl.DataFrame, cancellations: pl.DataFrame, horizon: Horizon, known_by: date
) -> pl.DataFrame:
    """The horizon label of each user of the population.

    1 if the first cancellation falls in `[D + gap, D + gap + H)`, 0 if not, null while not all
    events of that window are known. A cancellation in the gap is null too, and marked.

    Args:
        population: `as_of` and `user_id`, as in snapshots.
        cancellations: `user_id` and `cancel_ts` of all session days that have one.
        horizon: window and gap.
        known_by: all that happened before this date is known.

    Grain: (as_of, user_id, horizon_days, gap_days).
    """
    first = cancellations.group_by("user_id").agg(pl.col("cancel_ts").min())
    days_ahead = (pl.col("cancel_ts").dt.date() - pl.col("as_of")).dt.total_days()
    end = horizon.gap_days + horizon.days
    in_gap = (days_ahead >= 0) & (days_ahead < horizon.gap_days)
    in_window = (days_ahead >= horizon.gap_days) & (days_ahead < end)
    labelled = population.join(first, on="user_id", how="left").with_columns(
        is_known=pl.col("as_of") + timedelta(days=end) <= known_by,
        is_gap_cancel=in_gap.fill_null(value=False),
        in_window=in_window.fill_null(value=False).cast(pl.Int32),
    )
    return conform_polars(
        labelled.select(
            "as_of",
            "user_id",
            pl.lit(horizon.days, pl.Int32).alias("horizon_days"),
            pl.lit(horizon.gap_days, pl.Int32).alias("gap_days"),
            pl.when(pl.col("is_known") & ~pl.col("is_gap_cancel")).then("in_window").alias("label"),
            "is_known",
            "is_gap_cancel",
        ),
        LABELS,
    )


def build_silence_labels(
    population: pl.DataFrame, active: pl.DataFrame, horizon: Horizon, known_by: date
) -> pl.DataFrame:
    """The label of inactivity of each user of the population.

    1 if the user has no activity in `[D + gap, D + gap + H)`, 0 if there is any, null while not
    all events of that window are known. It looks ahead alone: how long a user had been silent
    before D is no part of it.

    Args:
        population: `as_of` and `user_id`, as in snapshots.
        active: `user_id` and `event_date` of all days with activity.
        horizon: window and gap.
        known_by: all that happened before this date is known.

    Grain: (as_of, user_id, horizon_days, gap_days).
    """
    gap, end = timedelta(days=horizon.gap_days), timedelta(days=horizon.gap_days + horizon.days)
    visits = active.select("user_id", next_date="event_date").sort("next_date")
    opened = population.select("as_of", "user_id", opens=pl.col("as_of") + gap).sort("opens")
    ahead = opened.join_asof(
        visits,
        left_on="opens",
        right_on="next_date",
        by="user_id",
        strategy="forward",
        check_sortedness=False,
    )
    is_silent = (pl.col("next_date") >= pl.col("as_of") + end).fill_null(value=True)
    is_known = pl.col("as_of") + end <= known_by
    return conform_polars(
        ahead.sort("as_of", "user_id").select(
            "as_of",
            "user_id",
            pl.lit(horizon.days, pl.Int32).alias("horizon_days"),
            pl.lit(horizon.gap_days, pl.Int32).alias("gap_days"),
            pl.when(is_known).then(is_silent.cast(pl.Int32)).alias("label"),
            is_known.alias("is_known"),
            pl.lit(value=False).alias("is_gap_cancel"),
        ),
        LABELS,
    )


def build_lifetime_labels(population: DataFrame, session_days: DataFrame) -> DataFrame:
    """Whether each user of the population has ever cancelled before its as-of date.

    Retrospective: it describes the past, it forecasts nothing.

    Grain: (as_of, user_id); column `label`.
    """
    has_left = F.coalesce(F.to_date("cancel_ts") < F.col("as_of"), F.lit(False))
    return (
        population.select("as_of", "user_id")
        .join(build_first_cancels(session_days), "user_id", "left")
        .select("as_of", "user_id", has_left.cast("integer").alias("label"))
    )


def build_first_cancels(session_days: DataFrame) -> DataFrame:
    """The users who have cancelled, each with the instant of the first confirmation.

    Grain: (user_id); column `cancel_ts`.
    """
    return (
        session_days.filter(F.col("cancel_ts").isNotNull())
        .groupBy("user_id")
        .agg(F.min("cancel_ts").alias("cancel_ts"))
    )


def with_horizon(labels: DataFrame, horizon: Horizon) -> DataFrame:
    """The labels of one window and gap.

    Grain: (as_of, user_id).
    """
    return labels.filter(
        (F.col("horizon_days") == horizon.days) & (F.col("gap_days") == horizon.gap_days)
    )
