"""Rows that count more or less than once: what a sum takes of them, and how much they tell."""

from __future__ import annotations

import numpy as np

from churn_spark.arrays import Values


def by_weight(values: Values, weights: Values | None) -> Values:
    """Values times what their rows count, in units of the mean row: their mean is the weighted one.

    The values themselves where each row counts once.
    """
    return values if weights is None else values * (weights / weights.mean())


def n_counted(n_rows: int, weights: Values | None) -> float:
    """How many rows there are, each as often as it counts."""
    return n_rows if weights is None else float(weights.sum())


def effective_size(weights: Values) -> float:
    """How many rows of equal weight tell as much: (sum of w)^2 / sum of w^2, 0 of none.

    Source: Kish, "Survey sampling" (1965), section 11.7.
    """
    squares = float(weights @ weights)
    return float(weights.sum()) ** 2 / squares if squares > 0 else 0.0


def count_positive_rows(labels: Values, weights: Values | None = None) -> int:
    """Rows that cancel; with weights as many as rows of equal weight would tell as much."""
    is_positive = labels == 1
    if weights is None:
        return int(is_positive.sum())
    return int(effective_size(weights[is_positive]))


def count_positive_users(labels: Values, users: Values, weights: Values | None = None) -> int:
    """Users who cancel: one who is in several weekly snapshots counts once.

    With weights as many as users of equal weight would tell as much.
    """
    return count_users(users, labels == 1, weights)


def count_users(users: Values, is_chosen: Values, weights: Values | None) -> int:
    """Users of the chosen rows, each by the most that one of these counts."""
    names, user = np.unique(users[is_chosen], return_inverse=True)
    if weights is None:
        return len(names)
    most = np.zeros(len(names))
    np.maximum.at(most, user, weights[is_chosen])
    return int(effective_size(most))
