"""Session days -> user days in one process: what each user did on each date.

The rules are those of `features.user_days`, which states them for Spark.
"""

from __future__ import annotations

from functools import reduce
from operator import add

import polars as pl

from churn_spark.contracts.features.sources import (
    EVENING_HOURS,
    HAZARD_COUNTS,
    LEVEL_CHANGE_COUNTS,
    MORNING_HOURS,
    SATURDAY,
    SUMMED_COLUMNS,
    THUMB_COUNTS,
)
from churn_spark.contracts.pages import PAID


def build_user_days(session_days: pl.DataFrame, totals: pl.DataFrame) -> pl.DataFrame:
    """Roll session days up to one row per user and date, with the derived counts.

    A session counts on the first date on which it has a logged-in event; not at all if that was
    before the first of the days, as the totals tell.

    Args:
        session_days: all of them since the totals.
        totals: of the days before; see `totals.py`.

    Grain: (user_id, event_date); columns `SOURCES`, the instants `last_ts`, `cancel_ts` and
    `level_changed_ts`, and the date itself as `last_active_date` where there is a logged-in event,
    as `last_visit_date` where there is one other than Cancel.
    """
    openings = _count_openings(session_days, totals)
    newest_first = pl.col("level").sort_by("level_seen", "level", nulls_last=False)
    days = session_days.group_by("user_id", "event_date").agg(
        *[pl.col(name).sum() for name in SUMMED_COLUMNS],
        pl.col("event_date").filter(pl.col("n_events") > 0).max().alias("last_active_date"),
        (newest_first.last() == PAID).fill_null(value=False).alias("is_paid"),
        pl.col("last_ts").max(),
        pl.col("cancel_ts").min(),
    )
    counted = days.join(openings, ["user_id", "event_date"], "left").with_columns(
        *[
            pl.col(name).fill_null(0).cast(pl.Int64)
            for name in ("n_sessions", "n_morning_sessions", "n_evening_sessions")
        ]
    )
    return _with_gaps(_with_counts(counted), totals)


def _count_openings(session_days: pl.DataFrame, totals: pl.DataFrame) -> pl.DataFrame:
    """Sessions that begin, by user and date."""
    known = totals.select("user_id", pl.col("session_ids").alias("session_id")).explode(
        "session_id"
    )
    hour = pl.col("first_ts").dt.hour()
    return (
        session_days.filter(pl.col("n_events") > 0)
        .select("user_id", "session_id", "event_date", "first_ts")
        .sort("event_date")
        .unique(["user_id", "session_id"], keep="first", maintain_order=True)
        .join(known, ["user_id", "session_id"], "anti")
        .group_by("user_id", "event_date")
        .agg(
            pl.len().alias("n_sessions"),
            hour.is_in(MORNING_HOURS).sum().alias("n_morning_sessions"),
            hour.is_in(EVENING_HOURS).sum().alias("n_evening_sessions"),
        )
    )


def _with_counts(days: pl.DataFrame) -> pl.DataFrame:
    is_active = pl.col("last_ts").is_not_null()
    is_weekend = pl.col("event_date").dt.weekday() > SATURDAY
    changes = _sum(LEVEL_CHANGE_COUNTS)
    return days.with_columns(
        is_active.cast(pl.Int64).alias("n_active_days"),
        pl.when(is_active).then("event_date").alias("last_visit_date"),
        (is_active & pl.col("is_paid")).cast(pl.Int64).alias("n_paid_days"),
        pl.when(is_weekend).then("n_sessions").otherwise(0).alias("n_weekend_sessions"),
        changes.alias("n_level_changes"),
        pl.when(changes > 0)
        .then(pl.col("event_date").cast(pl.Datetime("us", "UTC")))
        .alias("level_changed_ts"),
        _sum(THUMB_COUNTS).alias("n_thumbs"),
        _sum(HAZARD_COUNTS).alias("n_hazard_pages"),
    )


def _sum(columns: tuple[str, ...]) -> pl.Expr:
    return reduce(add, map(pl.col, columns))


def _with_gaps(days: pl.DataFrame, totals: pl.DataFrame) -> pl.DataFrame:
    """Add the days since the active date before, on active dates that have one."""
    active = (
        days.filter(pl.col("n_active_days") > 0)
        .select("user_id", "event_date")
        .sort("user_id", "event_date")
        .join(totals.select("user_id", "last_visit_date"), "user_id", "left")
    )
    before = pl.col("event_date").shift(1).over("user_id").fill_null(pl.col("last_visit_date"))
    gaps = active.select(
        "user_id", "event_date", (pl.col("event_date") - before).dt.total_days().alias("gap_days")
    )
    gap = pl.col("gap_days")
    return days.join(gaps, ["user_id", "event_date"], "left").with_columns(
        gap.fill_null(0),
        gap.is_not_null().cast(pl.Int64).alias("n_gaps"),
        (gap * gap).fill_null(0).alias("squared_gap_days"),
    )
