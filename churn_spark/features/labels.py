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
