"""Checks by whole models: they forecast too well, or forecast labels dealt out at random."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from churn_spark.config import LeakageConfig
from churn_spark.leakage.auc import auc_limit, auc_within, count_users
from churn_spark.leakage.table import (
    TEST,
    TRAIN,
    FeatureTable,
    Finding,
    labels_of,
    matrix_of,
)
from churn_spark.models.cross_fit import cross_fit, deal_users, fit_trees

_MEMORY_ROUNDS = 100
_SHUFFLES = 2


def check_ceiling(table: FeatureTable, limits: LeakageConfig) -> Iterator[Finding]:
    """Columns that together forecast better than anything honest can."""
    rows, names = table.labelled, list(table.features)
    is_positive, users = labels_of(rows), rows["user_id"].to_numpy()
    if is_positive.all() or not is_positive.any():
        return
    fit = cross_fit(matrix_of(rows, names), is_positive, deal_users(users), names)
    auc = auc_within(fit.held_out, is_positive, rows["as_of"].to_numpy())
    limit = auc_limit(limits.max_forecast_auc, *count_users(users, is_positive), limits.z)
    if auc > limit:
        yield Finding(
            "ceiling",
            fit.leading[0],
            auc,
            limit,
            f"shallow trees forecast unseen users with AUC {auc:.3f}, most by "
            f"{', '.join(fit.leading)}; honest ones reach {limits.max_forecast_auc:.2f} at most",
        )


def check_shuffled(table: FeatureTable, limits: LeakageConfig) -> Iterator[Finding]:
    """Labels dealt out at random can't be forecast, unless test users are among the training users.

    The mean over a few deals; each user keeps one label on all dates and sides.
    """
    rows = table.labelled
    train, test = (rows[rows["split"] == side] for side in (TRAIN, TEST))
    if train.empty or test.empty or not labels_of(rows).any():
        return
    names = list(table.features)
    values = matrix_of(rows, names)
    is_train = (rows["split"] == TRAIN).to_numpy()
    users, place = np.unique(rows["user_id"].to_numpy(), return_inverse=True)
    share = max(float(labels_of(rows).mean()), 0.1)
    aucs, dates = [], rows["as_of"].to_numpy()
    for deal in range(_SHUFFLES):
        dealt = (np.random.default_rng(deal).random(len(users)) < share)[place]
        if not dealt[is_train].any():
            return
        trees = fit_trees(values[is_train], dealt[is_train], _MEMORY_ROUNDS)
        scores = np.asarray(trees.predict(values[~is_train]), dtype=float)
        aucs.append(auc_within(scores, dealt[~is_train], dates[~is_train]))
    n_test = len(np.unique(place[~is_train]))
    n_positive = max(int(share * n_test), 1)
    auc = float(np.mean(aucs))
    limit = auc_limit(0.5, n_positive, max(n_test - n_positive, 1), limits.z)
    if auc > limit:
        yield Finding(
            "shuffled labels",
            "split",
            auc,
            limit,
            f"labels dealt out at random are forecast on the test rows with AUC {auc:.3f}: the "
            "test holds people whom the training has seen",
        )
