"""Transitions -> counts by user and cell, all that the behaviour model is fitted to.

Read once and kept on the driver where they fit; else they stay in Spark, and only sums come.
Users are summed in the same blocks either way, so both give the same model.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Protocol

import pandas as pd
from pyspark import StorageLevel
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from churn_spark.models.behaviour.cells import LEVELS, OTHER, SOURCES, TARGETS
from churn_spark.models.behaviour.collected_cells import CollectedCells
from churn_spark.models.behaviour.exposures import n_blocks_of
from churn_spark.models.behaviour.mixture import Blocks
from churn_spark.models.behaviour.model import BehaviourModel
from churn_spark.models.behaviour.spark_cells import SparkCells, pack_rows

MAX_COLLECTED_CELLS = 5_000_000
"""Rows of a user and a cell: about 70,000 users, 0.7 GB on the driver."""

_NOON_S: Final = 43_200


class UserCells(Blocks, Protocol):
    """The users in blocks, and what is summed over them."""

    def sum_by_cell(self) -> pd.DataFrame:
        """Transitions and time of each cell; columns `cell`, `n`, `millis`."""

    def count_exposures(self, model: BehaviourModel) -> pd.DataFrame:
        """Users with as many visits in as many days; columns `n`, `exposure`, `n_users`, sorted.

        Args:
            model: has the calendar and the dates.
        """


@contextmanager
def open_user_cells(
    known: DataFrame, registrations: DataFrame, block_users: int
) -> Iterator[UserCells]:
    """Sum transitions by user and cell.

    Args:
        known: transitions to fit to.
        registrations: `user_id` and `registered_ts`.
        block_users: about so many users are a block.
    """
    cells = known.groupBy("user_id", cell_column().alias("cell")).agg(
        F.sum("n_transitions").alias("n"),
        F.sum("total_millis").alias("millis"),
        # Known to the day only: noon is right on average.
        (F.unix_timestamp(F.max("event_date")) + _NOON_S).cast("double").alias("last"),
    )
    registered = registrations.select(
        "user_id", (F.unix_millis("registered_ts") / 1000.0).alias("registered")
    )
    # What Spark's partitions by user are numbered with.
    found = cells.withColumn("hash", F.hash("user_id")).limit(MAX_COLLECTED_CELLS + 1).toPandas()
    if len(found) <= MAX_COLLECTED_CELLS:
        yield CollectedCells(found, registered.toPandas(), block_users)
        return
    cells = cells.persist(StorageLevel.MEMORY_AND_DISK)
    n_users = cells.select(F.count_distinct("user_id")).collect()[0][0]
    blocks = (
        cells.select("user_id", "cell", F.col("n").cast("double"))
        .repartition(n_blocks_of(n_users, block_users), "user_id")
        .sortWithinPartitions("user_id", "cell")
        .rdd.mapPartitions(pack_rows)
        .persist(StorageLevel.MEMORY_AND_DISK)
    )
    yield SparkCells(cells, registered, blocks)
    blocks.unpersist()
    cells.unpersist()


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
