"""Counts by user and cell on the driver."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Final, TypeVar

import numpy as np
import pandas as pd
import polars as pl
from scipy.sparse import csr_matrix

from churn_spark.arrays import Ints
from churn_spark.models.behaviour.cells import N_CELLS, START_CELLS
from churn_spark.models.behaviour.exposures import block_of_users, n_blocks_of, to_exposures
from churn_spark.models.behaviour.model import BehaviourModel
from churn_spark.models.threads import map_parts

Result = TypeVar("Result")

NOON_S: Final = 43_200
"""Events of transitions are known to the day only: noon is right on average."""


@dataclass(frozen=True)
class CollectedCells:
    """All users on the driver: a pass over them takes less time than Spark needs to begin it.

    Attributes:
        cells: `user_id`, `cell`, `n`, `millis`, sorted by user and cell.
        users: of each user of the cells, sorted: `user_id`, `end` of those who cancelled and when
            they `registered`, epoch seconds.
        block_users: about so many users are a block.
    """

    cells: pl.DataFrame
    users: pl.DataFrame
    block_users: int

    @classmethod
    def of(
        cls,
        cells: pl.DataFrame,
        cancels: pl.DataFrame,
        registrations: pl.DataFrame,
        block_users: int,
    ) -> CollectedCells:
        """Sort the counts and put together what is known of each user.

        Args:
            cells: `user_id`, `cell`, `n`, `millis`; one row a user and cell.
            cancels: `user_id` and `event_date`; one row a user who cancelled.
            registrations: `user_id` and `registered_ts`; one row a user.
            block_users: about so many users are a block.
        """
        noon = pl.col("event_date").cast(pl.Datetime("us")).dt.epoch("s") + NOON_S
        registered = pl.col("registered_ts").dt.epoch("ms") / 1000.0
        users = (
            cells.select("user_id")
            .unique()
            .join(cancels.select("user_id", end=noon.cast(pl.Float64)), "user_id", "left")
            .join(registrations.select("user_id", registered=registered), "user_id", "left")
            .sort("user_id")
        )
        return cls(cells.sort("user_id", "cell"), users, block_users)

    def __call__(self, function: Callable[[csr_matrix], Result]) -> list[Result]:
        """Apply a function to every block; the results come in the blocks' order.

        Sparse products and NumPy's loops leave the interpreter free, so blocks run side by side.
        """
        return map_parts(function, self._blocks)

    @cached_property
    def _blocks(self) -> list[csr_matrix]:
        n_blocks = n_blocks_of(self.users.height, self.block_users)
        block = block_of_users(self.users["user_id"], n_blocks)[self._user]
        parts = (np.flatnonzero(block == number) for number in range(n_blocks))
        return [self._pack(part) for part in parts if part.size]

    @cached_property
    def _user(self) -> Ints:
        """The place of each cell's user."""
        places = self.users["user_id"].search_sorted(self.cells["user_id"])
        return np.asarray(places, dtype=np.int64)

    def _pack(self, rows: Ints) -> csr_matrix:
        users, number = np.unique(self._user[rows], return_inverse=True)
        cells, counts = self.cells["cell"].to_numpy()[rows], self.cells["n"].to_numpy()[rows]
        shape = len(users), N_CELLS
        return csr_matrix((counts.astype(np.float64), (number, cells)), shape=shape)

    def sum_by_cell(self) -> pd.DataFrame:
        """Transitions and time of each cell."""
        return self.cells.group_by("cell").agg(pl.col("n", "millis").sum()).sort("cell").to_pandas()

    def count_exposures(self, model: BehaviourModel) -> pd.DataFrame:
        """Users with as many visits in as many days."""
        n_visits = pl.col("n").filter(pl.col("cell").is_in(START_CELLS)).sum()
        sums = self.cells.group_by("user_id").agg(n_visits, pl.col("millis").sum())
        visitors = sums.filter(pl.col("n") > 0).join(self.users, "user_id").sort("user_id")
        groups = to_exposures(visitors.to_pandas(), model).groupby(["n", "exposure"]).size()
        return groups.rename("n_users").reset_index()
