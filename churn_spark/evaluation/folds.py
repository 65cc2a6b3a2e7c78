"""Users dealt out to folds, as arrays; the split by hash, for Spark, is in `models.splits`."""

from __future__ import annotations

import heapq

import numpy as np

from churn_spark.arrays import Ints


def deal_folds(order: Ints, sizes: Ints, n_folds: int) -> Ints:
    """The fold of each user: in the given order, each goes to the fold that is smallest so far.

    Users of equal size go to one fold after the other; users of falling size make folds of about
    the same size.

    Args:
        order: positions of all users, shape (users,).
        sizes: how much each user adds to a fold, such as rows, shape (users,).
        n_folds: at least one.
    """
    filled = [(0, fold) for fold in range(n_folds)]
    folds = np.empty(len(order), dtype=np.int64)
    for user in order.tolist():
        size, fold = filled[0]
        folds[user] = fold
        heapq.heapreplace(filled, (size + int(sizes[user]), fold))
    return folds
