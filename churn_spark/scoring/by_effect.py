"""The users of a list in the order of what listing them saves, and those better left alone."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from churn_spark.arrays import Floats
from churn_spark.config import RetentionListConfig
from churn_spark.contracts.tables.ml import BY_VALUE, LEFT_ALONE, LISTED
from churn_spark.lakehouse.frames import Rows, first_rows
from churn_spark.scoring.control_group import assign


@dataclass(frozen=True)
class ByEffect:
    """What is known of the effect of being listed.

    Attributes:
        saves: scored users -> cancels that listing each is expected to prevent, shape (n,).
        min_risk: of users at less risk nothing is known.
        leaves_alone: whether users of a negative expected saving are better left alone.
        pool: so many times as many users as are called for are looked at, the first by value; more
            where these don't fill the list.
    """

    saves: Callable[[pd.DataFrame], Floats]
    min_risk: float
    leaves_alone: bool
    pool: float


def first_by_effect(
    rows: Rows, capacity: int, config: RetentionListConfig, effect: ByEffect
) -> pd.DataFrame:
    """The users up to the last one that is listed, with assignment and `expected_saves`.

    Most value saved first: what listing saves, times what the user is worth. Users of whom
    nothing is known come after, by value at risk. Those who would be on the list by risk and are
    left alone stand at the end. To the driver come `pool` times as many as the list and its
    control group have, and twice as many, and so on, only while the list isn't full.

    Args:
        rows: scores of those who may be listed.
        capacity: users to call.
        config: of the control group.
        effect: of being listed.
    """
    asked = math.ceil(effect.pool * capacity / (1 - config.control_share))
    while True:
        first = first_rows(rows, BY_VALUE, asked)
        pool = first[first["value_at_risk"] > 0].reset_index(drop=True)
        chosen = _choose(pool, capacity, config, effect)
        if len(pool) < asked or (chosen["assignment"] == LISTED).sum() >= capacity:
            return chosen
        asked *= 2


def _choose(
    pool: pd.DataFrame, capacity: int, config: RetentionListConfig, effect: ByEffect
) -> pd.DataFrame:
    """The list of those that are looked at, who come in the order of their value."""
    is_known = (pool["churn_probability"] >= effect.min_risk).to_numpy()
    saves = np.full(len(pool), np.nan)
    saves[is_known] = effect.saves(pool[is_known])
    assigned = pool.assign(expected_saves=saves, assignment=assign(pool["user_id"], config))
    is_harmed = (saves < 0) & effect.leaves_alone
    by_risk = up_to_capacity(assigned, capacity)
    left_alone = by_risk[is_harmed[by_risk.index]].assign(assignment=LEFT_ALONE)
    worth = assigned["value_at_risk"] / assigned["churn_probability"]
    kept = assigned.assign(saved_value=saves * worth)[~is_harmed]
    # Stable, so that ties and users of whom nothing is known stay in the order of their value.
    ordered = kept.sort_values("saved_value", ascending=False, kind="stable", na_position="last")
    listed = up_to_capacity(ordered, capacity).drop(columns="saved_value")
    return pd.concat([listed, left_alone], ignore_index=True)


def up_to_capacity(assigned: pd.DataFrame, capacity: int) -> pd.DataFrame:
    """The rows before which fewer than so many are listed."""
    is_listed = (assigned["assignment"] == LISTED).astype(int)
    return assigned[is_listed.cumsum() - is_listed < capacity]
