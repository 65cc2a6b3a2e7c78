"""Session days -> labels: who cancels in the window after each as-of date."""

from __future__ import annotations

from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from churn_spark.contracts.tables import LABELS
from churn_spark.lakehouse.schema import conform
from churn_spark.timeline import Horizon


def build_labels(
    population: DataFrame, session_days: DataFrame, horizon: Horizon, log_end: date
) -> DataFrame:
    """The horizon label of each user of the population.

    1 if the first cancellation falls in `[D + gap, D + gap + H)`, 0 if not, null while the log
    doesn't reach the end of that window. A cancellation in the gap is null too, and marked.

    Args:
        population: `as_of` and `user_id`, as in snapshots.
        session_days: the whole table; the first cancellation is looked for in it.
        horizon: window and gap.
        log_end: the day after the newest event.

    Grain: (as_of, user_id, horizon_days, gap_days).
    """
    days_ahead = F.date_diff(F.to_date("cancel_ts"), "as_of")
    in_gap = F.coalesce(days_ahead.between(0, horizon.gap_days - 1), F.lit(False))
    end = horizon.gap_days + horizon.days
    in_window = F.coalesce(days_ahead.between(horizon.gap_days, end - 1), F.lit(False))
    is_known = F.date_add("as_of", end) <= F.lit(log_end)
    labelled = population.select("as_of", "user_id").join(
        build_first_cancels(session_days), "user_id", "left"
    )
    return conform(
        labelled.select(
            "as_of",
            "user_id",
            F.lit(horizon.days).alias("horizon_days"),
            F.lit(horizon.gap_days).alias("gap_days"),
            F.when(is_known & ~in_gap, in_window.cast("integer")).alias("label"),
            is_known.alias("is_known"),
            in_gap.alias("is_gap_cancel"),
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
