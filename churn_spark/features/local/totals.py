"""A user's days before a cut date as one row: all that later snapshots need of them."""

from __future__ import annotations

from datetime import date
from typing import Final

import polars as pl

from churn_spark.contracts.features.sources import SOURCES
from churn_spark.contracts.features.spec import ASKED
from churn_spark.contracts.tables import USER_TOTALS
from churn_spark.features.local.past import largest_column
from churn_spark.features.local.profile import PROFILE_COLUMNS, pick_newest
from churn_spark.features.local.user_days import build_user_days
from churn_spark.lakehouse.polars_schema import polars_schema_of

LATEST: Final = (
    *("last_ts", "level_changed_ts", "last_active_date", "last_visit_date"),
    *map(largest_column, sorted(ASKED.maxima)),
)
"""Columns of a user's days of which the largest is kept."""


def no_totals() -> pl.DataFrame:
    """The totals before a log began: of nobody."""
    return pl.DataFrame(schema=polars_schema_of(USER_TOTALS))


def add_days(
    session_days: pl.DataFrame, totals: pl.DataFrame, before: date, made_of: str
) -> pl.DataFrame:
    """Totals of all days before a later cut.

    Args:
        session_days: all from the totals' cut on, up to the later one.
        totals: of the days before; see `no_totals`.
        before: the later cut.
        made_of: what tells these totals from those of other days before that cut.

    Grain: (user_id); the columns of `USER_TOTALS`.
    """
    added = (
        stack_days(session_days, totals)
        .group_by("user_id")
        .agg(pl.col(*SOURCES).sum(), pl.col(*LATEST).max(), pl.col("cancel_ts").min())
        .join(pick_newest(stack_profiles(session_days, totals)), "user_id", "left")
        .join(_stack_sessions(session_days, totals), "user_id", "left")
    )
    cut = {"before": pl.lit(before), "made_of": pl.lit(made_of)}
    return added.with_columns(**cut).select(USER_TOTALS.column_names)


def stack_days(session_days: pl.DataFrame, totals: pl.DataFrame) -> pl.DataFrame:
    """User days, and all days before the cut as if they were its eve.

    Grain: (user_id, event_date).
    """
    days = build_user_days(session_days, totals).with_columns(
        pl.col(source).alias(largest_column(source)) for source in sorted(ASKED.maxima)
    )
    eve = (pl.col("before") - pl.duration(days=1)).alias("event_date")
    before = totals.select("user_id", eve, *SOURCES, *LATEST, "cancel_ts")
    return pl.concat([before, days.select(before.columns)])


def stack_profiles(session_days: pl.DataFrame, totals: pl.DataFrame) -> pl.DataFrame:
    """What is known of users' profiles, by session and day, and at the eve of the cut."""
    eve = (pl.col("before") - pl.duration(days=1)).alias("event_date")
    before = totals.select("user_id", eve, *PROFILE_COLUMNS)
    return pl.concat([before, session_days.select(before.columns)])


def _stack_sessions(session_days: pl.DataFrame, totals: pl.DataFrame) -> pl.DataFrame:
    """All sessions of a user with a logged-in event."""
    before = totals.select("user_id", pl.col("session_ids").alias("session_id"))
    sessions = session_days.filter(pl.col("n_events") > 0).select("user_id", "session_id")
    return (
        pl.concat([before.explode("session_id").drop_nulls(), sessions])
        .unique()
        .sort("user_id", "session_id")
        .group_by("user_id", maintain_order=True)
        .agg(pl.col("session_id").alias("session_ids"))
    )
