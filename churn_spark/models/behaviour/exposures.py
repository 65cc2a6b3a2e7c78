"""Counts of users -> visits and days of exposure, and how the users are cut into blocks."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import pandas as pd
import polars as pl

from churn_spark.arrays import Ints
from churn_spark.lakehouse.frames import hash_users
from churn_spark.models.behaviour.model import BehaviourModel
from churn_spark.timeline import MILLIS_PER_DAY, day_start_millis

_EXPOSURE_STEP_DAYS: Final = 0.25


def to_exposures(users: pd.DataFrame, model: BehaviourModel) -> pd.DataFrame:
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


def block_of_users(user_ids: pl.Series, n_blocks: int) -> Ints:
    """The number of each user's block, from 0 on; `SparkCells` numbers them alike."""
    return np.asarray(hash_users(user_ids).to_numpy() % n_blocks, dtype=np.int64)


def n_blocks_of(n_users: int, block_users: int) -> int:
    """Blocks of about `block_users` users."""
    return max(1, math.ceil(n_users / block_users))
