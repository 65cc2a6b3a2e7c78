"""Metrics of scores against known true probabilities: free of the chance of who cancels.

Where the users' true chances to cancel are known, as on a simulated log, each metric has an
expectation over the outcomes, up to terms of the order of one over the number of cancels. Scores
that are the true probabilities reach the best expected ROC AUC and average precision there are;
both are below 1.
"""

from __future__ import annotations

import numpy as np

from churn_spark.arrays import Values
from churn_spark.evaluation.ranking import Ranking


def expected_roc_auc(true: Values, scores: Values) -> float:
    """Area under the ROC curve that the scores reach on average.

    The expected number of pairs (one who cancels, one who doesn't) that are in the right order,
    ties half, over the expected number of pairs.

    Args:
        true: chance of a 1 for each row, of independent outcomes, shape (rows,).
        scores: any numbers that order the rows, same shape.

    Returns:
        0 to 1; NaN where there is no pair.

    Raises:
        ValueError: if there are no rows.
    """
    tally = Ranking.of(true, scores).tally()
    above = tally.hits[:-1] + 0.5 * np.diff(tally.hits)
    # Nobody makes a pair with themselves.
    own = float((true * (1 - true)).sum())
    right = float(np.diff(tally.misses) @ above) - 0.5 * own
    pairs = float(tally.hits[-1] * tally.misses[-1]) - own
    # Where every outcome is certain and of one class there is no pair: only rounding is left.
    return right / pairs if pairs > 1e-12 * len(true) else float("nan")


def expected_average_precision(true: Values, scores: Values) -> float:
    """Average precision that the scores reach on average.

    A row that cancels is found with a precision of one, for itself, plus the cancels expected
    among the others down to the last row of its score, over the rows down to there. The sum of
    this over the expected cancels.

    Args:
        true: chance of a 1 for each row, of independent outcomes, shape (rows,).
        scores: any numbers that order the rows, same shape.

    Returns:
        0 to 1; NaN where nobody can cancel.

    Raises:
        ValueError: if there are no rows.
    """
    ranking = Ranking.of(true, scores)
    tally = ranking.tally()
    if not tally.hits[-1] > 0:
        return float("nan")
    own = np.cumsum(ranking.labels * (1 - ranking.labels))[ranking.ends]
    found = np.diff(tally.hits) * tally.hits[1:] + np.diff(own, prepend=0.0)
    return float((found / tally.n[1:]).sum() / tally.hits[-1])
