"""The feature table that the leak checks look at: a sample of users, with all built twice."""

from __future__ import annotations

from datetime import date as Date

from pyspark.sql import functions as F

from churn_spark.config import LeakageConfig, LearningConfig
from churn_spark.contracts.features.spec import SNAPSHOT_FEATURES
from churn_spark.contracts.tables import LABELS, SESSION_DAYS, SNAPSHOTS
from churn_spark.errors import MissingTableError
from churn_spark.features.labels import with_horizon
from churn_spark.features.snapshots import build_snapshots as build_features
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.leakage.inputs import (
    build_event_spans,
    build_leak_rows,
    build_poisoned_snapshots,
    sample_users,
)
from churn_spark.leakage.table import KEY, FeatureTable, Rebuilds
from churn_spark.pipeline.built_dates import BuiltDates
from churn_spark.pipeline.dates import LogDates
from churn_spark.timeline import Horizon


def newest_labelled_dates(
    lakehouse: Lakehouse,
    log: LogDates,
    date: Date,
    horizon: Horizon,
    n_dates: int,
    built: BuiltDates | None = None,
) -> list[Date]:
    """The newest sound dates that have labels whose window ends by the date, oldest first.

    Where it is known of what they were built, those that are of the log as it is, if there are
    any: a night's snapshot before late events is built anew before anything is learnt from it.

    Raises:
        MissingTableError: if there are none.
    """
    newest_known = horizon.newest_known(date)
    labels = with_horizon(lakehouse.read(LABELS), horizon)
    known = labels.filter(F.col("is_known") & (F.col("as_of") <= F.lit(newest_known)))
    newest = known.select("as_of").distinct()
    found = log.sound(row.as_of for row in newest.collect())
    stale = built.stale(found) if built else set()
    dates = ([day for day in found if day not in stale] or found)[-n_dates:]
    if not dates:
        raise MissingTableError(
            f"found no label that is known by {date}, expected some as of {newest_known} or "
            "before: run the job build_snapshots for such a date"
        )
    return dates


def collect_table(
    lakehouse: Lakehouse,
    log: LogDates,
    date: Date,
    config: LearningConfig,
    leakage: LeakageConfig,
) -> FeatureTable:
    """Bring a sample of the users to the driver, with their features built twice.

    Raises:
        MissingTableError: if no label is known by the date.
    """
    horizon, active_days = config.labels.horizon, config.snapshots.active_days
    built = BuiltDates.read(lakehouse, log, config)
    dates = newest_labelled_dates(lakehouse, log, date, horizon, leakage.n_dates, built)
    days = lakehouse.read(SESSION_DAYS)
    n_users = days.select("user_id").distinct().count()
    share = min(1.0, leakage.max_users / n_users)
    days = sample_users(days, share).persist()
    snapshots = lakehouse.read(SNAPSHOTS).filter(F.col("as_of").isin(dates))
    labels = with_horizon(lakehouse.read(LABELS), horizon)
    rows = build_leak_rows(sample_users(snapshots, share), labels, config.training)
    table = FeatureTable(
        rows=rows.orderBy(*KEY).toPandas(),
        features=tuple(feature.name for feature in SNAPSHOT_FEATURES),
        horizon=horizon,
        log_end=log.reached,
        claim="users",
        trending=frozenset(f.name for f in SNAPSHOT_FEATURES if f.is_trending),
        rebuilds=Rebuilds(
            build_features(days, dates, active_days).toPandas(),
            build_poisoned_snapshots(days, dates, active_days).toPandas(),
        ),
        spans=build_event_spans(days, dates).toPandas(),
    )
    days.unpersist()
    return table
