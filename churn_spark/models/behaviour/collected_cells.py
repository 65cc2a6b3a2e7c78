"""Counts by user and cell on the driver."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

from churn_spark.arrays import Ints
from churn_spark.models.behaviour.cells import CANCELLED_CELLS, N_CELLS, START_CELLS
from churn_spark.models.behaviour.exposures import n_blocks_of, to_exposures
from churn_spark.models.behaviour.model import BehaviourModel

Result = TypeVar("Result")


@dataclass(frozen=True)
class CollectedCells:
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
        n_blocks = n_blocks_of(len(names), self.block_users)
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
                "n": cells["n"].where(cells["cell"].isin(START_CELLS), 0),
                "millis": cells["millis"],
                "end": cells["last"].where(cells["cell"].isin(CANCELLED_CELLS)),
            }
        )
        users = facts.groupby("user_id").agg({"n": "sum", "millis": "sum", "end": "max"})
        users = users[users["n"] > 0].reset_index().merge(self.registered, "left", "user_id")
        groups = to_exposures(users, model).groupby(["n", "exposure"]).size()
        return groups.rename("n_users").reset_index()
