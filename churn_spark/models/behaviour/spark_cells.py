"""Counts by user and cell that stay in Spark: too many users for the driver."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import pandas as pd
from pyspark import RDD
from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F
from scipy.sparse import csr_matrix

from churn_spark.models.behaviour.cells import CANCELLED_CELLS, N_CELLS, START_CELLS
from churn_spark.models.behaviour.exposures import to_exposures
from churn_spark.models.behaviour.model import BehaviourModel

Result = TypeVar("Result")


@dataclass(frozen=True)
class SparkCells:
    """Applies functions where the users are; only sums come to the driver.

    Attributes:
        cells: `user_id`, `cell`, `n`, `millis`, `last`.
        registered: `user_id` and `registered`, epoch seconds.
        blocks: the users' counts.
    """

    cells: DataFrame
    registered: DataFrame
    blocks: RDD[csr_matrix]

    def __call__(self, function: Callable[[csr_matrix], Result]) -> list[Result]:
        """Apply a function to every block; the results come in the blocks' order."""
        return self.blocks.map(function).collect()

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


def pack_rows(rows: Iterable[Row]) -> Iterator[csr_matrix]:
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
