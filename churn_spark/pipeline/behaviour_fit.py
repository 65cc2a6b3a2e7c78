"""Silver tables -> the behaviour model of a training, from kept totals or by Spark's sums."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date as Date
from datetime import timedelta
from typing import Final

import pandas as pd
import polars as pl
from pyspark.sql import functions as F

from churn_spark.config import LearningConfig, TrainingConfig
from churn_spark.contracts.tables import SESSION_DAYS, TRANSITIONS, TableSpec
from churn_spark.lakehouse.selection import Between, Where
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.models.behaviour.cells import CANCELLED, START
from churn_spark.models.behaviour.collected_cells import CollectedCells
from churn_spark.models.behaviour.counts import sum_counts
from churn_spark.models.behaviour.fitting import fit_behaviour
from churn_spark.models.behaviour.model import BehaviourModel
from churn_spark.models.behaviour.spark_cells import (
    build_registrations,
    count_visits,
    open_user_cells,
)
from churn_spark.models.splits import VALIDATION, held_out_users, split_of
from churn_spark.pipeline.dates import LogDates
from churn_spark.pipeline.transition_totals import are_few_transitions, read_counts
from churn_spark.timeline import days_after

_STEP_DAYS: Final = 14
"""Days that are in memory at once."""


def fit_behaviour_before(
    lakehouse: Lakehouse, log: LogDates, date: Date, config: LearningConfig
) -> BehaviourModel:
    """Fit the behaviour model to what users in no validation did before the date.

    Args:
        lakehouse: with the silver tables.
        log: the dates of the log.
        date: nothing of it or later is used.
        config: of the training.

    Raises:
        ValueError: if there are no transitions.
    """
    start, settings = log.span.start, config.behaviour
    if are_few_transitions(lakehouse, [date]):
        cells = _collect_cells(lakehouse, date, config)
        visits = _read_visits(lakehouse, start, date, config.training)
        return fit_behaviour(cells, visits, start, date, settings)
    is_before = F.col("event_date") < F.lit(date)
    is_learnt_from = ~held_out_users(F.col("user_id"), config.training)
    known = lakehouse.read(TRANSITIONS).filter(is_before & is_learnt_from)
    registrations = build_registrations(lakehouse.read(SESSION_DAYS).filter(is_before))
    with open_user_cells(known, registrations, settings.block_users) as opened:
        return fit_behaviour(opened, count_visits(known, start), start, date, settings)


def _collect_cells(lakehouse: Lakehouse, date: Date, config: LearningConfig) -> CollectedCells:
    (_, counts), *_ = read_counts(lakehouse, [date])
    cells = _learnt_from(sum_counts(counts), config.training)
    where: Where = {"next_page": [CANCELLED]}
    cancels = _read_in_steps(lakehouse, TRANSITIONS, date, ["user_id", "event_date"], where)
    registrations = [
        days.group_by("user_id").agg(pl.col("registered_ts").max())
        for days in _read_in_steps(lakehouse, SESSION_DAYS, date, ["user_id", "registered_ts"])
    ]
    return CollectedCells.of(
        cells.rename({"n_transitions": "n", "total_millis": "millis"}),
        pl.concat(cancels).group_by("user_id").agg(pl.col("event_date").max()),
        pl.concat(registrations).group_by("user_id").agg(pl.col("registered_ts").max()),
        config.behaviour.block_users,
    )


def _read_visits(
    lakehouse: Lakehouse, start: Date, date: Date, config: TrainingConfig
) -> pd.DataFrame:
    """Visits of each day of the log, of those who are learnt from."""
    columns = ["user_id", "event_date", "n_transitions"]
    parts = [
        _learnt_from(days, config).group_by("event_date").agg(n=pl.col("n_transitions").sum())
        for days in _read_in_steps(lakehouse, TRANSITIONS, date, columns, {"page": [START]})
    ]
    visits = pl.concat(parts).filter(pl.col("event_date") >= start)
    return visits.sort("event_date").to_pandas()


def _learnt_from(rows: pl.DataFrame, config: TrainingConfig) -> pl.DataFrame:
    """The rows of users who are in no validation."""
    users = rows["user_id"].unique()
    chosen = [user for user in users if split_of(user, config) != VALIDATION]
    return rows.filter(pl.col("user_id").is_in(chosen))


def _read_in_steps(
    lakehouse: Lakehouse,
    spec: TableSpec,
    before: Date,
    columns: Sequence[str],
    where: Where | None = None,
) -> Iterator[pl.DataFrame]:
    """Columns of the rows of a silver table before a date, some days at a time; never no part."""
    days = lakehouse.partition_values(spec, "event_date")
    first = min([*days, before])
    while True:
        last = min(days_after(first, _STEP_DAYS), before) - timedelta(days=1)
        meant: Where = {"event_date": Between(first, last), **(where or {})}
        yield pl.DataFrame(lakehouse.read_arrow(spec, meant, columns))
        first = days_after(last, 1)
        if first >= before:
            return
