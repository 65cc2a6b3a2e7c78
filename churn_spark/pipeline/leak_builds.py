"""What the leak checks build anew: the tables of a sample of users, and all features from them."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date as Date

from pyspark.sql import DataFrame

from churn_spark.config import LearningConfig
from churn_spark.contracts.tables import SESSION_DAYS, TRANSITIONS, TableSpec
from churn_spark.features.snapshots import build_snapshots as build_features
from churn_spark.lakehouse.schema import struct_of
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.leakage.inputs import poison_session_days, poison_transitions, sample_users
from churn_spark.pipeline.leak_behaviour import Forecasters, with_forecasts


@dataclass(frozen=True)
class LogTables:
    """What snapshots and forecasts are made of."""

    session_days: DataFrame
    transitions: DataFrame

    def poisoned(self, as_of: Date) -> LogTables:
        """The same with everything at or after a date changed."""
        return LogTables(
            poison_session_days(self.session_days, as_of),
            poison_transitions(self.transitions, as_of),
        )


@contextmanager
def sampled(lakehouse: Lakehouse, share: float) -> Iterator[LogTables]:
    """The tables of a share of the users, read once."""
    days, transitions = (
        sample_users(_read(lakehouse, spec), share).persist()
        for spec in (SESSION_DAYS, TRANSITIONS)
    )
    try:
        yield LogTables(days, transitions)
    finally:
        days.unpersist()
        transitions.unpersist()


def build_rows(
    tables: LogTables,
    dates: Collection[Date],
    forecasters: Forecasters,
    config: LearningConfig,
    log_start: Date,
) -> DataFrame:
    """All features of the population of the dates, as nights build them.

    Grain: (as_of, user_id).
    """
    population = config.snapshots
    snapshots = build_features(
        tables.session_days,
        dates,
        population.active_days,
        log_start,
        only_paid=population.is_only_paid,
        ending=config.labels.ending,
    )
    of_dates = {day: one for day, one in forecasters.items() if day in dates}
    return with_forecasts(snapshots, tables.session_days, tables.transitions, of_dates)


def _read(lakehouse: Lakehouse, spec: TableSpec) -> DataFrame:
    """The table; no rows where no step has written it."""
    if lakehouse.exists(spec):
        return lakehouse.read(spec)
    return lakehouse.spark.createDataFrame([], struct_of(spec))
