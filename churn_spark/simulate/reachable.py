"""The best AUC and AP that any forecast can reach, from the true probabilities of the outcome.

No forecast orders users better than the true probabilities do. Which users then really cancel
is chance, so even that order has an expected AUC below 1; it follows from the probabilities.
"""

from __future__ import annotations

import numpy as np

from churn_spark.simulate.draws import Floats


def expected_roc_auc(probabilities: Floats) -> float:
    """Give the area under the ROC curve that the true probabilities reach on average.

    The expected number of pairs (one who cancels, one who doesn't) that are in the right order,
    ties half, over the expected number of pairs. That is the expected AUC up to terms of the
    order of one over the number of cancels.

    Args:
        probabilities: of independent outcomes, shape (users,).

    Returns:
        0.5 to 1; NaN where there is no pair.

    Raises:
        Nothing: any numbers have an order.
    """
    values, place = np.unique(probabilities, return_inverse=True)
    cancels = np.bincount(place, weights=probabilities, minlength=len(values))
    stays = np.bincount(place, weights=1.0 - probabilities, minlength=len(values))
    # Nobody makes a pair with themselves.
    own = probabilities * (1.0 - probabilities)
    below = np.cumsum(stays) - stays
    right = (cancels * (below + 0.5 * stays)).sum() - 0.5 * own.sum()
    pairs = cancels.sum() * stays.sum() - own.sum()
    return float(right / pairs) if pairs > 0 else float("nan")


def expected_average_precision(probabilities: Floats) -> float:
    """Give the average precision that the true probabilities reach on average.

    With the users in descending order, the one at rank i cancels with chance p(i), and is then
    found with a precision of one plus the cancels expected before it, over i. The sum of this
    over the expected cancels is the expected AP up to terms of the order of one over their
    number.

    Args:
        probabilities: of independent outcomes, shape (users,).

    Returns:
        0 to 1; NaN where nobody can cancel.

    Raises:
        Nothing: any numbers have an order.
    """
    ordered = np.sort(probabilities)[::-1]
    before = np.cumsum(ordered) - ordered
    found = ordered * (1.0 + before) / np.arange(1, len(ordered) + 1)
    return float(found.sum() / ordered.sum()) if ordered.sum() > 0 else float("nan")
