"""Session days -> labels: who cancels in the window after each as-of date."""

from __future__ import annotations

from datetime import date
from functools import partial

import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from churn_spark.contracts.tables import LABELS
from churn_spark.lakehouse.frames import Batches, Rows, apply, join
from churn_spark.lakehouse.schema import struct_of
from churn_spark.timeline import Horizon


def build_labels(population: Rows, first_cancels: Rows, horizon: Horizon, log_end: date) -> Rows:
    """The horizon label of each user of the population.

    1 if the first cancellation falls in `[D + gap, D + gap + H)`, 0 if not, null while the log
    doesn't reach the end of that window. A cancellation in the gap is null too, and marked.

    Args:
        population: `as_of` and `user_id`, as in snapshots.
        first_cancels: `user_id` and `cancel_ts`, on the same side, see `build_first_cancels`.
        horizon: window and gap.
        log_end: the day after the newest event.

    Grain: (as_of, user_id, horizon_days, gap_days).
    """
    label = partial(_label, horizon=horizon, log_end=log_end)
    return apply(join(population, first_cancels, ["user_id"], "left"), label, struct_of(LABELS))


def _label(batches: Batches, horizon: Horizon, log_end: date) -> Batches:
    gap, end = horizon.gap_days, horizon.gap_days + horizon.days
    for rows in batches:
        as_of = pd.to_datetime(rows["as_of"])
        days_ahead = (pd.to_datetime(rows["cancel_ts"]).dt.floor("D") - as_of).dt.days
        in_gap, in_window = days_ahead.between(0, gap - 1), days_ahead.between(gap, end - 1)
        is_known = as_of + pd.Timedelta(days=end) <= pd.Timestamp(log_end)
        yield pd.DataFrame(
            {
                "as_of": rows["as_of"],
                "user_id": rows["user_id"],
                "horizon_days": horizon.days,
                "gap_days": gap,
                "label": in_window.astype("Int32").where(is_known & ~in_gap),
                "is_known": is_known,
                "is_gap_cancel": in_gap,
            }
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
