"""Session days -> snapshots, in one process: every feature of every living user as of dates."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from typing import Final

import polars as pl

from churn_spark.contracts.features.asked import sum_column
from churn_spark.contracts.features.spec import ASKED, SNAPSHOT_FEATURES
from churn_spark.contracts.pages import PAID
from churn_spark.contracts.tables import SNAPSHOTS
from churn_spark.features.local.past import ONE, FramePast
from churn_spark.features.local.profile import pick_newest
from churn_spark.features.local.totals import LATEST, stack_days, stack_profiles
from churn_spark.lakehouse.polars_schema import conform_polars, polars_schema_of
from churn_spark.timeline import Horizon

_EVER: Final = 1_000_000
"""Days: more than any log has."""


def build_snapshots(
    session_days: pl.DataFrame,
    totals: pl.DataFrame,
    as_of_dates: Collection[date],
    log_start: date,
    active_days: int,
    *,
    only_paid: bool = False,
    ending: Horizon | None = None,
) -> pl.DataFrame:
    """The population as of each date, with every feature that follows from the log.

    The rows are those of `features.snapshots.build_snapshots`, to the last bit.

    Args:
        session_days: all from the totals' cut on, up to the last date.
        totals: of the days before; their cut is before the longest window of each date.
        as_of_dates: the dates.
        log_start: first date of the log.
        active_days: how long a user counts as active.
        only_paid: whether only who was paying then is of the population.
        ending: only whose subscription, as known then, runs out in this window; None: everybody.

    Grain: (as_of, user_id).
    """
    days = stack_days(session_days, totals)
    profiles = stack_profiles(session_days, totals)
    found = []
    for as_of in sorted(as_of_dates):
        history = _history_of(days, profiles, as_of)
        is_active = (as_of - pl.col("last_active_date")).dt.total_days() <= active_days
        living = history.filter(is_active & pl.col("cancel_ts").is_null())
        if only_paid:
            living = living.filter(pl.col("level") == PAID)
        if ending is not None:
            days_ahead = (pl.col("subscribed_until_ts").dt.date() - as_of).dt.total_days()
            living = living.filter(days_ahead.is_between(ending.gap_days, ending.last_day))
        found.append(_features_of(living, FramePast(as_of, log_start)))
    return pl.concat(found)


def _history_of(days: pl.DataFrame, profiles: pl.DataFrame, as_of: date) -> pl.DataFrame:
    """What each user has done before a date: all that the features are made of.

    Grain: (user_id) for users with any row before the date.
    """
    before = days.filter(pl.col("event_date") < as_of)
    age = (as_of - pl.col("event_date")).dt.total_days()
    sums = [
        pl.when(age.is_between(window.last, window.first or _EVER))
        .then(source)
        .otherwise(0)
        .sum()
        .alias(sum_column(source, window))
        for source, window in sorted(ASKED.sums)
    ]
    history = (
        before.group_by("user_id")
        .agg(*sums, pl.col(*LATEST).max(), pl.col("cancel_ts").min())
        .sort("user_id")
    )
    known = pick_newest(profiles.filter(pl.col("event_date") < as_of))
    return history.join(known, "user_id", "left")


def _features_of(history: pl.DataFrame, past: FramePast) -> pl.DataFrame:
    """The declared features, from what users have done."""
    types = polars_schema_of(SNAPSHOTS)
    columns = [
        feature.formula.value(past).expr.cast(types[feature.name]).alias(feature.name)
        for feature in SNAPSHOT_FEATURES
    ]
    as_of = pl.lit(past.as_of).alias("as_of")
    ones = (pl.int_range(pl.len()) >= 0).cast(pl.Float64).alias(ONE)
    known = history.with_columns(ones)
    for step in past.steps:
        known = known.with_columns(step)
    return conform_polars(known.select(as_of, "user_id", *columns), SNAPSHOTS)
