"""Counts by user and cell: all that the behaviour model is fitted to.

On the driver where they fit, else in Spark, from where only sums come. Users are summed in the
same blocks either way, so both give the same model.
"""

from __future__ import annotations

from typing import Protocol

import pandas as pd

from churn_spark.models.behaviour.mixture import Blocks
from churn_spark.models.behaviour.model import BehaviourModel


class UserCells(Blocks, Protocol):
    """The users in blocks, and what is summed over them."""

    def sum_by_cell(self) -> pd.DataFrame:
        """Transitions and time of each cell; columns `cell`, `n`, `millis`."""

    def count_exposures(self, model: BehaviourModel) -> pd.DataFrame:
        """Users with as many visits in as many days; columns `n`, `exposure`, `n_users`, sorted.

        Args:
            model: has the calendar and the dates.
        """
