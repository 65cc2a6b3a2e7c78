"""Transitions -> behaviour model: EM over blocks of users that stay where Spark has them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Final, TypeVar

import numpy as np
import pandas as pd
from pyspark import RDD, StorageLevel
from pyspark.sql import Column, DataFrame, Row
from pyspark.sql import functions as F
from scipy.sparse import csr_matrix

from churn_spark.config import BehaviourConfig
from churn_spark.models.behaviour.calendar import Calendar, fit_calendar
from churn_spark.models.behaviour.cells import (
    CANCELLED,
    LEVELS,
    N_CELLS,
    OTHER,
    SOURCES,
    START,
    TARGETS,
)
from churn_spark.models.behaviour.mixture import Mixture, MixtureSettings, fit_mixtures
from churn_spark.models.behaviour.model import BehaviourModel
from churn_spark.models.behaviour.outcomes import Sessions, solve_sessions
from churn_spark.models.behaviour.visits import VisitPrior, fit_visit_prior
from churn_spark.timeline import MILLIS_PER_DAY, day_start_millis

Result = TypeVar("Result")

_EXPOSURE_STEP_DAYS: Final = 0.25
_NOON_S: Final = 43_200


def fit_behaviour(
    transitions: DataFrame,
    registrations: DataFrame,
    log_start: date,
    fitted_before: date,
    config: BehaviourConfig,
) -> BehaviourModel:
    """Fit classes, session outcomes and rates to what was known before a date, without labels.

    On the driver: one number a cell and class, one row a date, and one row for each number of
    visits and quarter of a day of exposure.

    Args:
        transitions: rows of the table, of the users to fit on.
        registrations: `user_id` and `registered_ts`.
        log_start: first date of the log.
        fitted_before: later rows are left out.
        config: how to fit.

    Raises:
        ValueError: if there are no transitions.
    """
    known = transitions.filter(F.col("event_date") < F.lit(fitted_before))
    calendar = _fit_calendar(known, log_start)
    mixture = _fit_classes(known, config)
    start = BehaviourModel(
        mixture=mixture,
        sessions=_solve_sessions(known, mixture),
        prior=VisitPrior(0.0, 1.0),
        calendar=calendar,
        log_start=log_start,
        fitted_before=fitted_before,
    )
    prior = _fit_prior(known, registrations, start)
    return BehaviourModel(mixture, start.sessions, prior, calendar, log_start, fitted_before)


def build_registrations(session_days: DataFrame, before: date) -> DataFrame:
    """When each user registered, as far as known before a date.

    Grain: (user_id); column `registered_ts`.
    """
    return (
        session_days.filter(F.col("event_date") < F.lit(before))
        .groupBy("user_id")
        .agg(F.max("registered_ts").alias("registered_ts"))
    )


def cell_column() -> Column:
    """The number of the cell of a row of `transitions`, as `cells.cell_of` gives it."""

    def place(names: tuple[str, ...], column: str) -> Column:
        pairs = [
            F.lit(value) for pair in zip(names, range(len(names)), strict=True) for value in pair
        ]
        return F.coalesce(F.create_map(*pairs)[F.col(column)], F.lit(names.index(OTHER)))

    level = F.when(F.col("level") == LEVELS[1], 1).otherwise(0)
    source, target = place(SOURCES, "page"), place(TARGETS, "next_page")
    return ((level * len(SOURCES) + source) * len(TARGETS) + target).cast("int")


def _fit_calendar(known: DataFrame, log_start: date) -> Calendar:
    visits = (
        known.filter((F.col("page") == START) & (F.col("event_date") >= F.lit(log_start)))
        .groupBy("event_date")
        .agg(F.sum("n_transitions").alias("n"))
        .orderBy("event_date")
        .toPandas()
    )
    weekdays = pd.to_datetime(visits["event_date"]).dt.weekday.to_numpy()
    return fit_calendar(weekdays.astype(np.float64), visits["n"].to_numpy(dtype=np.float64))


def _fit_classes(known: DataFrame, config: BehaviourConfig) -> Mixture:
    """Fit each number of classes; Akaike's criterion chooses."""
    n_users = known.select(F.count_distinct("user_id")).collect()[0][0]
    n_blocks = max(1, math.ceil(n_users / config.block_users))
    counts = (
        known.groupBy("user_id", cell_column().alias("cell"))
        .agg(F.sum("n_transitions").cast("double").alias("n"))
        .repartition(n_blocks, "user_id")
        .sortWithinPartitions("user_id", "cell")
    )
    blocks = counts.rdd.mapPartitions(_pack)
    settings = MixtureSettings(
        prior_weight=config.prior_weight, n_starts=config.n_starts, seed=config.seed
    )
    numbers = sorted(config.n_classes)
    if n_blocks == 1:
        # A step on so few users takes less time than Spark needs to begin it.
        fitted = fit_mixtures(_LocalBlocks(blocks.collect()), numbers, settings)
    else:
        blocks.persist(StorageLevel.MEMORY_AND_DISK)
        fitted = fit_mixtures(_SparkBlocks(blocks), numbers, settings)
        blocks.unpersist()
    return min(fitted, key=lambda mixture: mixture.aic)


def _pack(rows: Iterable[Row]) -> Iterator[csr_matrix]:
    """Make one sparse matrix of a partition's users."""
    users, cells, counts = [], [], []
    number, last = -1, None
    for user_id, cell, n in rows:
        number += user_id != last
        last = user_id
        users.append(number)
        cells.append(cell)
        counts.append(n)
    if users:
        yield csr_matrix((counts, (users, cells)), shape=(number + 1, N_CELLS))


@dataclass(frozen=True)
class _LocalBlocks:
    """Applies functions in this process, to at most `block_users` users."""

    blocks: list[csr_matrix]

    def __call__(self, function: Callable[[csr_matrix], Result]) -> list[Result]:
        """Apply a function to every block; the results come in the blocks' order."""
        return [function(block) for block in self.blocks]


@dataclass(frozen=True)
class _SparkBlocks:
    """Applies functions where the blocks are; only the results come to the driver."""

    blocks: RDD[csr_matrix]

    def __call__(self, function: Callable[[csr_matrix], Result]) -> list[Result]:
        """Apply a function to every block; the results come in the blocks' order."""
        return self.blocks.map(function).collect()


def _solve_sessions(known: DataFrame, mixture: Mixture) -> Sessions:
    by_cell = (
        known.groupBy(cell_column().alias("cell"))
        .agg(F.sum("n_transitions").alias("n"), F.sum("total_millis").alias("millis"))
        .toPandas()
    )
    seconds = np.zeros(N_CELLS)
    seconds[by_cell["cell"].to_numpy()] = (by_cell["millis"] / by_cell["n"]).to_numpy() / 1000.0
    return solve_sessions(mixture.log_chances, seconds)


def _fit_prior(known: DataFrame, registrations: DataFrame, start: BehaviourModel) -> VisitPrior:
    """Fit the rates to how many users have so many visits in so many days of exposure."""
    end = day_start_millis(start.fitted_before) / 1000.0
    is_gone = F.col("next_page") == CANCELLED
    # Known to the day only: noon is right on average.
    gone = F.unix_timestamp(F.max(F.when(is_gone, F.col("event_date")))) + _NOON_S
    users = (
        known.groupBy("user_id")
        .agg(
            F.sum(F.when(F.col("page") == START, F.col("n_transitions")).otherwise(0)).alias("n"),
            (F.sum("total_millis") / MILLIS_PER_DAY).alias("visit_days"),
            F.coalesce(gone.cast("double"), F.lit(end)).alias("end"),
        )
        .filter("n > 0")
        .join(registrations, "user_id", "left")
        .withColumn("registered", F.unix_millis("registered_ts") / 1000.0)
        .select("n", "visit_days", "end", "registered")
    )

    def to_exposure(frames: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        for frame in frames:
            visits = frame["n"].to_numpy(dtype=np.float64)
            days = start.exposure(
                frame["registered"].to_numpy(dtype=np.float64),
                frame["end"].to_numpy(dtype=np.float64),
                visits,
                frame["visit_days"].to_numpy(dtype=np.float64),
            )
            steps = np.maximum(np.rint(days / _EXPOSURE_STEP_DAYS), 1.0)
            yield pd.DataFrame({"n": visits, "exposure": steps * _EXPOSURE_STEP_DAYS})

    groups = (
        users.mapInPandas(to_exposure, "n double, exposure double")
        .groupBy("n", "exposure")
        .agg(F.count(F.lit(1)).cast("double").alias("n_users"))
        .orderBy("n", "exposure")
        .toPandas()
    )
    return fit_visit_prior(
        *(groups[name].to_numpy(dtype=np.float64) for name in ("n", "exposure", "n_users"))
    )
