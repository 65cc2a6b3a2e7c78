"""The product's own tables of a simulated log, for leaks to be planted in: as its steps make them.

Snapshots, transitions and forecasts of a lakehouse that has trained a champion, and the same from
session days and transitions whose future was changed.
"""

from __future__ import annotations

from datetime import date
from functools import reduce
from pathlib import Path

import pandas as pd
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from bench import flow
from bench.honest_table import (
    BEFORE_TEST,
    HORIZON,
    TEST_DATE,
    TRAIN_DATES,
    build_spans,
    choose_rows,
    unripe_date,
)
from bench.leak_log import LeakLog, poison, simulate_leak_log
from bench.planting import Planting
from bench.worlds import load_world
from churn_spark.contracts.features.spec import FORECAST_FEATURES, SNAPSHOT_FEATURES
from churn_spark.contracts.tables import SNAPSHOTS
from churn_spark.features.snapshots import build_lifetime_snapshots
from churn_spark.leakage.table import KEY, FeatureTable, Rebuilds
from churn_spark.pipeline.context import JobContext
from churn_spark.pipeline.dates import read_log_dates
from churn_spark.pipeline.leak_behaviour import (
    Forecasters,
    read_forecasters,
    with_forecasts,
    with_stored_forecasts,
)
from churn_spark.pipeline.leak_builds import LogTables, build_rows, sampled
from churn_spark.pipeline.leak_table import FORECASTS, find_trending
from churn_spark.pipeline.score import written_forecasts
from churn_spark.simulate.settings import SimulationSettings

_DATES = (*TRAIN_DATES, TEST_DATE)
_FEATURES = (*SNAPSHOT_FEATURES, *FORECAST_FEATURES)


def prepare_product_planting(
    spark: SparkSession, work: Path, settings: SimulationSettings
) -> Planting:
    """Simulate a log, load it, train on it, and collect the table that leaks are planted in.

    Args:
        spark: builds the tables.
        work: where they and the log are put.
        settings: of a world whose last day is after the label window of the test date.
    """
    world = load_world(spark, work, settings)
    context = world.context(spark)
    log = simulate_leak_log(settings)
    flow.train_model(context, log.end)
    dates = sorted({*_DATES, BEFORE_TEST, unripe_date(log.end)})
    flow.build_snapshots(context, dates)
    lakehouse, registry = context.lakehouse, context.registry
    champion = registry.champion_version()
    assert champion is not None
    with written_forecasts(lakehouse, TEST_DATE, registry.load(champion)):
        pass
    forecasters = read_forecasters(lakehouse, lambda: registry, dates)
    with sampled(lakehouse, 1.0) as tables:
        rows = _by_date(_build(context, tables, dates, forecasters))
        stored = _by_date(_read_stored(context, tables, forecasters))
        seen = {
            day: _by_date(_build_seen(context, tables, day, forecasters))[day] for day in _DATES
        }
        parts = [_build(context, tables.poisoned(day), [day], forecasters) for day in _DATES]
        after = reduce(DataFrame.unionByName, parts).toPandas()
    built = {day: rows[day] for day in _DATES}
    honest = FeatureTable(
        rows=choose_rows(log, stored),
        features=tuple(feature.name for feature in _FEATURES),
        horizon=HORIZON,
        log_end=log.end,
        trending=find_trending(_FEATURES),
        forecasts=frozenset(FORECASTS),
        rebuilds=Rebuilds(pd.concat(built.values(), ignore_index=True), after),
        spans=pd.concat([build_spans(log, day) for day in _DATES], ignore_index=True),
    )
    poisoned: dict[date, LeakLog] = {day: poison(log, day) for day in _DATES}
    return Planting(log, poisoned, honest, rows.__getitem__, seen.__getitem__)


def _build(
    context: JobContext, tables: LogTables, dates: list[date], forecasters: Forecasters
) -> DataFrame:
    start = read_log_dates(context.lakehouse).span.start
    return build_rows(tables, dates, forecasters, context.config.learning, start)


def _read_stored(context: JobContext, tables: LogTables, forecasters: Forecasters) -> DataFrame:
    snapshots = context.lakehouse.read(SNAPSHOTS).filter(F.col("as_of").isin(*_DATES))
    of_dates = {day: forecasters[day] for day in _DATES}
    return with_stored_forecasts(
        context.lakehouse, snapshots, tables.session_days, tables.transitions, of_dates
    )


def _build_seen(
    context: JobContext, tables: LogTables, day: date, forecasters: Forecasters
) -> DataFrame:
    start = read_log_dates(context.lakehouse).span.start
    everybody = build_lifetime_snapshots(tables.session_days, day, start)
    of_day = {day: forecasters[day]}
    return with_forecasts(everybody, tables.session_days, tables.transitions, of_day)


def _by_date(rows: DataFrame) -> dict[date, pd.DataFrame]:
    found = rows.orderBy(*KEY).toPandas()
    days = sorted(set(found["as_of"]))
    return {day: found[found["as_of"] == day].reset_index(drop=True) for day in days}
