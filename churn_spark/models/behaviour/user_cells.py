"""Transitions -> counts by user and cell, all that the behaviour model is fitted to.

Read once and kept on the driver where they fit; else they stay in Spark, and only sums come.
Users are summed in the same blocks either way, so both give the same model.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Protocol, TypeVar

import numpy as np
import pandas as pd
from pyspark import RDD, StorageLevel
from pyspark.sql import Column, DataFrame, Row
from pyspark.sql import functions as F
from scipy.sparse import csr_matrix

from churn_spark.arrays import Ints
from churn_spark.models.behaviour.cells import (
    CANCELLED,
    LEVELS,
    N_CELLS,
    OTHER,
    SHAPE,
    SOURCES,
    START,
    TARGETS,
)
from churn_spark.models.behaviour.mixture import Blocks
from churn_spark.models.behaviour.model import BehaviourModel
from churn_spark.timeline import MILLIS_PER_DAY, day_start_millis

Result = TypeVar("Result")

MAX_COLLECTED_CELLS = 5_000_000
"""Rows of a user and a cell: about 70,000 users, 0.7 GB on the driver."""

_EXPOSURE_STEP_DAYS: Final = 0.25
_NOON_S: Final = 43_200
_SUMMED: Final = ("n", "millis")
_CELLS: Final = np.arange(N_CELLS).reshape(SHAPE)
_START_CELLS: Final = _CELLS[:, SOURCES.index(START)].ravel().tolist()
_CANCELLED_CELLS: Final = _CELLS[..., TARGETS.index(CANCELLED)].ravel().tolist()


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
        yield _CollectedCells(found, registered.toPandas(), block_users)
        return
    cells = cells.persist(StorageLevel.MEMORY_AND_DISK)
    n_users = cells.select(F.count_distinct("user_id")).collect()[0][0]
    blocks = (
        cells.select("user_id", "cell", F.col("n").cast("double"))
        .repartition(_n_blocks(n_users, block_users), "user_id")
        .sortWithinPartitions("user_id", "cell")
        .rdd.mapPartitions(_pack_rows)
        .persist(StorageLevel.MEMORY_AND_DISK)
    )
    yield _SparkCells(cells, registered, blocks)
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


@dataclass(frozen=True)
class _CollectedCells:
    """All users on the driver: a pass over them takes less time than Spark needs to begin it.

    Attributes:
        cells: `user_id`, `cell`, `n`, `millis`, `last` and Spark's `hash` of the user.
        registered: `user_id` and `registered`, epoch seconds.
        block_users: about so many users are a block.
    """

    cells: pd.DataFrame
    registered: pd.DataFrame
    block_users: int

    def __call__(self, function: Callable[[csr_matrix], Result]) -> list[Result]:
        """Apply a function to every block; the results come in the blocks' order."""
        return [function(block) for block in self._blocks]

    @cached_property
    def _blocks(self) -> list[csr_matrix]:
        names, user = np.unique(self.cells["user_id"].to_numpy(), return_inverse=True)
        n_blocks = _n_blocks(len(names), self.block_users)
        block = self.cells["hash"].to_numpy() % n_blocks
        ordered = np.lexsort((self.cells["cell"].to_numpy(), user))
        parts = (ordered[block[ordered] == number] for number in range(n_blocks))
        return [self._pack(user, part) for part in parts if part.size]

    def _pack(self, user: Ints, rows: Ints) -> csr_matrix:
        users, number = np.unique(user[rows], return_inverse=True)
        cells = self.cells["cell"].to_numpy()[rows]
        counts = self.cells["n"].to_numpy(dtype=np.float64)[rows]
        return csr_matrix((counts, (number, cells)), shape=(len(users), N_CELLS))

    def sum_by_cell(self) -> pd.DataFrame:
        """Transitions and time of each cell."""
        return self.cells.groupby("cell")[["n", "millis"]].sum().reset_index()

    def count_exposures(self, model: BehaviourModel) -> pd.DataFrame:
        """Users with as many visits in as many days."""
        cells = self.cells
        facts = pd.DataFrame(
            {
                "user_id": cells["user_id"],
                "n": cells["n"].where(cells["cell"].isin(_START_CELLS), 0),
                "millis": cells["millis"],
                "end": cells["last"].where(cells["cell"].isin(_CANCELLED_CELLS)),
            }
        )
        users = facts.groupby("user_id").agg({"n": "sum", "millis": "sum", "end": "max"})
        users = users[users["n"] > 0].reset_index().merge(self.registered, "left", "user_id")
        groups = _to_exposures(users, model).groupby(["n", "exposure"]).size()
        return groups.rename("n_users").reset_index()


@dataclass(frozen=True)
class _SparkCells:
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
        summed = self.cells.groupBy("cell").agg(*[F.sum(name).alias(name) for name in _SUMMED])
        return summed.orderBy("cell").toPandas()

    def count_exposures(self, model: BehaviourModel) -> pd.DataFrame:
        """Users with as many visits in as many days."""
        is_start = F.col("cell").isin(_START_CELLS)
        is_cancelled = F.col("cell").isin(_CANCELLED_CELLS)
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

        def to_exposures(frames: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
            for frame in frames:
                yield _to_exposures(frame, model)

        return (
            users.mapInPandas(to_exposures, "n double, exposure double")
            .groupBy("n", "exposure")
            .agg(F.count(F.lit(1)).alias("n_users"))
            .orderBy("n", "exposure")
            .toPandas()
        )


def _to_exposures(users: pd.DataFrame, model: BehaviourModel) -> pd.DataFrame:
    """Visits and days of exposure, in quarters of a day, of each user.

    Args:
        users: `n` visits, `millis` within them, the `end` of those who cancelled and when they
            `registered`, epoch seconds.
        model: has the calendar and the dates.
    """
    visits = users["n"].to_numpy(dtype=np.float64)
    days = model.exposure(
        users["registered"].to_numpy(dtype=np.float64),
        users["end"].fillna(day_start_millis(model.fitted_before) / 1000.0).to_numpy(),
        visits,
        users["millis"].to_numpy(dtype=np.float64) / MILLIS_PER_DAY,
    )
    steps = np.maximum(np.rint(days / _EXPOSURE_STEP_DAYS), 1.0)
    return pd.DataFrame({"n": visits, "exposure": steps * _EXPOSURE_STEP_DAYS})


def _pack_rows(rows: Iterable[Row]) -> Iterator[csr_matrix]:
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


def _n_blocks(n_users: int, block_users: int) -> int:
    return max(1, math.ceil(n_users / block_users))
