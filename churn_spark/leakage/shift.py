"""Adversarial validation: whether a model can tell newer rows, or test rows, from the others."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from churn_spark.arrays import Bools
from churn_spark.config import LeakageConfig
from churn_spark.leakage.auc import auc_limit, auc_within, count_users
from churn_spark.leakage.table import TEST, FeatureTable, Finding, matrix_of
from churn_spark.models.cross_fit import cross_fit, deal_users


def check_shift(table: FeatureTable, limits: LeakageConfig) -> Iterator[Finding]:
    """Columns by which the newest date, or a random test side, is known from the other rows.

    Features that are marked as trending are left out: they tell dates apart by construction.
    """
    rows = table.rows
    is_newest = (rows["as_of"] == rows["as_of"].max()).to_numpy()
    yield from _tell_apart(table, limits, is_newest, "the newest date", limits.max_shift_auc)
    if table.claim == "users":
        is_test = (rows["split"] == TEST).to_numpy()
        yield from _tell_apart(table, limits, is_test, "the test users", limits.max_order_auc)


def _tell_apart(
    table: FeatureTable, limits: LeakageConfig, is_one: Bools, what: str, cap: float
) -> Iterator[Finding]:
    if is_one.all() or not is_one.any():
        return
    names = [name for name in table.features if name not in table.trending]
    users = table.rows["user_id"].to_numpy()
    fit = cross_fit(matrix_of(table.rows, names), is_one, deal_users(users), names)
    auc = auc_within(fit.held_out, is_one, np.zeros(len(is_one)))
    n_ones = len(np.unique(users[is_one]))
    limit = auc_limit(cap, max(n_ones, 1), max(count_users(users, ~is_one)[0], 1), limits.z)
    if auc > limit:
        yield Finding(
            "shift",
            fit.leading[0],
            auc,
            limit,
            f"{what} can be told from the other rows with AUC {auc:.3f}, most by "
            f"{', '.join(fit.leading)}: a model learns there what it won't meet again",
        )
