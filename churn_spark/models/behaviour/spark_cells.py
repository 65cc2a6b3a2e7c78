"""Counts by user and cell that stay in Spark: too many users for the driver."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from operator import itemgetter
from typing import TypeVar

import pandas as pd
import polars as pl
from pyspark import RDD, StorageLevel
from pyspark.sql import Column, DataFrame, Row
from pyspark.sql import functions as F
from scipy.sparse import csr_matrix

from churn_spark.models.behaviour.cells import (
    CANCELLED,
    CANCELLED_CELLS,
    LEVELS,
    N_CELLS,
    OTHER,
    SOURCES,
    START,
    START_CELLS,
    TARGETS,
)
from churn_spark.models.behaviour.collected_cells import NOON_S, CollectedCells
from churn_spark.models.behaviour.exposures import n_blocks_of, to_exposures
from churn_spark.models.behaviour.model import BehaviourModel
from churn_spark.models.behaviour.user_cells import UserCells

Result = TypeVar("Result")

MAX_COLLECTED_CELLS = 5_000_000
"""Rows of a user and a cell: about 70,000 users, 0.7 GB on the driver."""


@dataclass(frozen=True)
class SparkCells:
    """Applies functions where the users are; only sums come to the driver.

    Attributes:
        cells: `user_id`, `cell`, `n`, `millis`, `last`.
        registered: `user_id` and `registered`, epoch seconds.
        blocks: number of each block, and its users' counts.
    """

    cells: DataFrame
    registered: DataFrame
    blocks: RDD[tuple[int, csr_matrix]]

    def __call__(self, function: Callable[[csr_matrix], Result]) -> list[Result]:
        """Apply a function to every block; the results come in the blocks' order."""
        found = self.blocks.mapValues(function).collect()
        return [result for _, result in sorted(found, key=lambda one: one[0])]

    def sum_by_cell(self) -> pd.DataFrame:
        """Transitions and time of each cell."""
        summed = self.cells.groupBy("cell").agg(
            F.sum("n").alias("n"), F.sum("millis").alias("millis")
        )
        return summed.orderBy("cell").toPandas()

    def count_exposures(self, model: BehaviourModel) -> pd.DataFrame:
        """Users with as many visits in as many days."""
        is_start = F.col("cell").isin(START_CELLS)
        is_cancelled = F.col("cell").isin(CANCELLED_CELLS)
        users = (
            self.cells.groupBy("user_id")
            .agg(
                F.sum(F.when(is_start, F.col("n")).otherwise(0)).alias("n"),
                F.sum("millis").alias("millis"),
                F.max(F.when(is_cancelled, F.col("last"))).alias("end"),
            )
            .filter("n > 0")
            .join(self.registered, "user_id", "left")
        )

        def measure(frames: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
            for frame in frames:
                yield to_exposures(frame, model)

        return (
            users.mapInPandas(measure, "n double, exposure double")
            .groupBy("n", "exposure")
            .agg(F.count(F.lit(1)).alias("n_users"))
            .orderBy("n", "exposure")
            .toPandas()
        )


@contextmanager
def open_user_cells(
    known: DataFrame, registrations: DataFrame, block_users: int
) -> Iterator[UserCells]:
    """Sum transitions by user and cell; what fits on the driver is brought there.

    Args:
        known: transitions to fit to.
        registrations: `user_id` and `registered_ts`.
        block_users: about so many users are a block.
    """
    cells = known.groupBy("user_id", cell_column().alias("cell")).agg(
        F.sum("n_transitions").alias("n"),
        F.sum("total_millis").alias("millis"),
        (F.unix_timestamp(F.max("event_date")) + NOON_S).cast("double").alias("last"),
    )
    found = cells.drop("last").limit(MAX_COLLECTED_CELLS + 1).toPandas()
    if len(found) <= MAX_COLLECTED_CELLS:
        cancels = known.filter(F.col("next_page") == CANCELLED).groupBy("user_id")
        yield CollectedCells.of(
            pl.from_pandas(found),
            pl.from_pandas(cancels.agg(F.max("event_date").alias("event_date")).toPandas()),
            pl.from_pandas(registrations.toPandas()),
            block_users,
        )
        return
    cells = cells.persist(StorageLevel.MEMORY_AND_DISK)
    n_blocks = n_blocks_of(cells.select(F.count_distinct("user_id")).collect()[0][0], block_users)
    blocks = (
        cells.select(
            F.pmod(F.xxhash64("user_id"), F.lit(n_blocks)).cast("int").alias("block"),
            "user_id",
            "cell",
            F.col("n").cast("double"),
        )
        .repartition(n_blocks, "block")
        .sortWithinPartitions("block", "user_id", "cell")
        .rdd.mapPartitions(pack_rows)
        .persist(StorageLevel.MEMORY_AND_DISK)
    )
    registered = registrations.select(
        "user_id", (F.unix_millis("registered_ts") / 1000.0).alias("registered")
    )
    try:
        yield SparkCells(cells, registered, blocks)
    finally:
        blocks.unpersist()
        cells.unpersist()


def build_registrations(session_days: DataFrame) -> DataFrame:
    """When each user registered, as far as known.

    Grain: (user_id); column `registered_ts`.
    """
    return session_days.groupBy("user_id").agg(F.max("registered_ts").alias("registered_ts"))


def count_visits(known: DataFrame, log_start: date) -> pd.DataFrame:
    """Visits of each day of the log, in order; columns `event_date`, `n`."""
    is_visit = (F.col("page") == START) & (F.col("event_date") >= F.lit(log_start))
    visits = known.filter(is_visit).groupBy("event_date")
    return visits.agg(F.sum("n_transitions").alias("n")).orderBy("event_date").toPandas()


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


def pack_rows(rows: Iterable[Row]) -> Iterator[tuple[int, csr_matrix]]:
    """Make one sparse matrix of each block, whose rows come one after the other."""
    for block, some in groupby(rows, key=itemgetter(0)):
        cells, counts, last = [], [], None
        users: list[int] = []
        for _, user_id, cell, n in some:
            users.append(users[-1] + (user_id != last) if users else 0)
            last = user_id
            cells.append(cell)
            counts.append(n)
        yield block, csr_matrix((counts, (users, cells)), shape=(users[-1] + 1, N_CELLS))
