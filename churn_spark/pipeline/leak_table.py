"""The feature table that the leak checks look at: what is kept of a sample, with all built anew."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date as Date
from functools import partial, reduce
from typing import Final

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from churn_spark.config import LeakageConfig, LearningConfig
from churn_spark.contracts.features.spec import (
    FORECAST_FEATURES,
    SNAPSHOT_FEATURES,
    Feature,
    measures_silence,
)
from churn_spark.contracts.tables import LABELS, SESSION_DAYS, SNAPSHOTS
from churn_spark.errors import MissingTableError
from churn_spark.features.labels import with_horizon
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.leakage.inputs import (
    build_event_spans,
    build_leak_rows,
    sample_users,
)
from churn_spark.leakage.table import KEY, FeatureTable, Rebuilds
from churn_spark.models.registry import ModelRegistry
from churn_spark.pipeline.built_dates import BuiltDates
from churn_spark.pipeline.dates import LogDates
from churn_spark.pipeline.leak_behaviour import (
    forecast_features,
    read_forecasters,
    with_stored_forecasts,
)
from churn_spark.pipeline.leak_builds import build_rows, sampled
from churn_spark.pipeline.leak_silver import find_other_rows
from churn_spark.timeline import Horizon

FORECASTS: Final = ("behaviour_probability", "cancel_per_visit", "fading_probability")
"""Features that forecast the label themselves."""


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
    open_registry: Callable[[], ModelRegistry],
    log: LogDates,
    date: Date,
    config: LearningConfig,
    leakage: LeakageConfig,
) -> FeatureTable:
    """Bring a sample of the users to the driver: the rows that are kept, and what is built anew.

    Raises:
        MissingTableError: if no label is known by the date.
    """
    horizon = config.labels.horizon
    built = BuiltDates.read(lakehouse, log, config)
    dates = newest_labelled_dates(lakehouse, log, date, horizon, leakage.n_dates, built)
    forecasters = read_forecasters(lakehouse, open_registry, dates)
    is_silence = config.labels.churn == "inactivity"
    # Those that no model of the label sees are none of its leaks.
    judged = [one for one in SNAPSHOT_FEATURES if not (is_silence and measures_silence(one))]
    features = (*judged, *forecast_features(forecasters))
    n_users = lakehouse.read(SESSION_DAYS).select("user_id").distinct().count()
    share = min(1.0, leakage.max_users / n_users)
    with sampled(lakehouse, share) as log_tables:
        snapshots = lakehouse.read(SNAPSHOTS).filter(F.col("as_of").isin(dates))
        stored = with_stored_forecasts(
            lakehouse,
            sample_users(snapshots, share),
            log_tables.session_days,
            log_tables.transitions,
            forecasters,
        )
        labels = with_horizon(lakehouse.read(LABELS), horizon)
        rows = build_leak_rows(stored, labels, config.training)
        build = partial(
            build_rows, forecasters=forecasters, config=config, log_start=log.span.start
        )
        return FeatureTable(
            rows=rows.orderBy(*KEY).toPandas(),
            features=tuple(feature.name for feature in features),
            horizon=horizon,
            log_end=log.reached,
            churn=config.labels.churn,
            claim="users",
            trending=find_trending(features),
            forecasts=frozenset(FORECASTS),
            rebuilds=Rebuilds(
                build(log_tables, dates).toPandas(),
                reduce(
                    DataFrame.unionByName,
                    [build(log_tables.poisoned(day), [day]) for day in dates],
                ).toPandas(),
            ),
            spans=build_event_spans(log_tables.session_days, dates).toPandas(),
            sources=[*find_other_rows(lakehouse, share)],
        )


def find_trending(features: Iterable[Feature]) -> frozenset[str]:
    """The features that tell dates apart by construction.

    Those that grow with time, and what the models of behaviour and of fading say: the more they
    have seen of a user, the further it is from what holds for everybody.
    """
    forecast = {feature.name for feature in FORECAST_FEATURES}
    return frozenset(
        feature.name for feature in features if feature.is_trending or feature.name in forecast
    )
