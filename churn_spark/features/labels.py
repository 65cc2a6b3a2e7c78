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
    events of that window are known. A cancellation in the gap is null too, and marked. So is one
    before D, unmarked: it was delivered after the snapshot was made, and leaves nothing to predict.

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
    is_here = (days_ahead >= 0).fill_null(value=True)
    labelled = population.join(first, on="user_id", how="left").with_columns(
        is_known=pl.col("as_of") + timedelta(days=end) <= known_by,
        has_outcome=is_here & ~in_gap.fill_null(value=False),
        is_gap_cancel=in_gap.fill_null(value=False),
        in_window=in_window.fill_null(value=False).cast(pl.Int32),
    )
    return conform_polars(
        labelled.select(
            "as_of",
            "user_id",
            pl.lit(horizon.days, pl.Int32).alias("horizon_days"),
            pl.lit(horizon.gap_days, pl.Int32).alias("gap_days"),
            pl.when(pl.col("is_known") & pl.col("has_outcome")).then("in_window").alias("label"),
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


def build_lapse_labels(
    population: pl.DataFrame, ends: pl.DataFrame, horizon: Horizon, known_by: date
) -> pl.DataFrame:
    """Whether each user's subscription runs out without having been renewed.

    The end is that of the newest event before D that tells one; the population is made of those
    whose end falls in `[D + gap, D + gap + H)`. 0 if an event from D on tells a later end, on the
    date of the end or in the days of grace after it at the latest; 1 if none does; null while not
    all events of that time are known, where no end is told, and where the end lies outside of the
    window: a renewal from before D that was delivered after the snapshot leaves nothing to predict.

    Args:
        population: `as_of` and `user_id`, as in snapshots.
        ends: `user_id`, `event_date`, `subscribed_until_ts` and `subscription_seen` of all session
            days that tell an end.
        horizon: window, gap, and the days after the end in which a renewal still counts.
        known_by: all that happened before this date is known.

    Grain: (as_of, user_id, horizon_days, gap_days).
    """
    by_day = (
        ends.sort("subscription_seen", "subscribed_until_ts")
        .group_by("user_id", "event_date")
        .agg(
            newest=pl.col("subscribed_until_ts").last(), latest=pl.col("subscribed_until_ts").max()
        )
        .sort("event_date")
    )
    asked = population.select("as_of", "user_id", eve=pl.col("as_of") - timedelta(days=1))
    known = asked.sort("eve").join_asof(
        by_day.select("user_id", "newest", eve="event_date"),
        on="eve",
        by="user_id",
        strategy="backward",
        check_sortedness=False,
    )
    # A day that tells what was known already renews nothing: few days are left.
    is_change = pl.col("latest").ne_missing(pl.col("newest").shift().over("user_id"))
    changes = by_day.filter(is_change)
    last_chance = pl.col("newest").dt.date() + timedelta(days=horizon.grace_days)
    is_renewal = pl.col("event_date").is_between("as_of", last_chance)
    renewed = (
        known.join(changes.select("user_id", "event_date", "latest"), on="user_id")
        .filter(is_renewal & (pl.col("latest") > pl.col("newest")))
        .select("as_of", "user_id")
        .unique()
    )
    is_known = pl.col("as_of") <= horizon.newest_known(known_by)
    days_ahead = (pl.col("newest").dt.date() - pl.col("as_of")).dt.total_days()
    # Of who has no end it is null, thus no label, too.
    ends_in_window = days_ahead.is_between(horizon.gap_days, horizon.last_day)
    lapsed = pl.col("is_renewed").is_null().cast(pl.Int32)
    return conform_polars(
        known.join(renewed.with_columns(is_renewed=True), on=["as_of", "user_id"], how="left")
        .sort("as_of", "user_id")
        .select(
            "as_of",
            "user_id",
            pl.lit(horizon.days, pl.Int32).alias("horizon_days"),
            pl.lit(horizon.gap_days, pl.Int32).alias("gap_days"),
            pl.when(is_known & ends_in_window).then(lapsed).alias("label"),
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
