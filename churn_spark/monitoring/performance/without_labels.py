"""What the champion's metrics should be tonight, guessed from its own probabilities.

Labels come two weeks late. If the probabilities are calibrated, each row's label is a coin of
known bias, and so the expected confusion counts are known (CBPE, confidence-based performance
estimation). That is right when only the mix of users changes, and blind when the same users
behave differently. So a good value doesn't show that a model is right: the policy doesn't use it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from churn_spark.arrays import Values
from churn_spark.evaluation.expected import expected_average_precision, expected_roc_auc


@dataclass(frozen=True)
class ExpectedPerformance:
    """Metrics to expect if the probabilities are calibrated; NaN where all of them are 0.

    Attributes:
        roc_auc: of the expected pairs.
        average_precision: precision averaged over the gains in recall, all expected.
        f1: of the expected counts at the threshold.
        base_rate: expected share of cancels.
    """

    roc_auc: float
    average_precision: float
    f1: float
    base_rate: float


def expect_performance(probabilities: Values, threshold: float) -> ExpectedPerformance:
    """The metrics to expect if the probabilities are calibrated.

    Args:
        probabilities: calibrated, shape (n,).
        threshold: at or above which a user is flagged.

    Raises:
        ValueError: if a probability is outside [0, 1] or not a number.
    """
    if not np.all((probabilities >= 0) & (probabilities <= 1)):
        raise ValueError("found a probability outside [0, 1], expected calibrated ones")
    cancels = float(probabilities.sum())
    if cancels == 0:
        nan = float("nan")
        return ExpectedPerformance(nan, nan, nan, 0.0 if len(probabilities) else nan)
    flagged = probabilities[probabilities >= threshold]
    return ExpectedPerformance(
        roc_auc=expected_roc_auc(probabilities, probabilities),
        average_precision=expected_average_precision(probabilities, probabilities),
        f1=float(2 * flagged.sum() / (flagged.size + cancels)),
        base_rate=cancels / len(probabilities),
    )
