"""The figures of scores against known true probabilities: no noise of who really cancels.

Which users cancel is chance. Where their true chances are known, as on a simulated log, each
figure has an expectation over the outcomes, up to terms of the order of one over the number of
cancels. Scores that are the true probabilities reach the best expected ROC AUC and average
precision there are; both are below 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from churn_spark.arrays import Values
from churn_spark.evaluation.ranking import Ranking
from churn_spark.evaluation.reliability import N_BINS, calibration_line, log_odds


@dataclass(frozen=True)
class ExpectedMetrics:
    """Expected figures of one set of scores; the names are those of `Metrics`.

    Attributes:
        n: rows.
        n_positive: cancels expected.
        roc_auc: chance that one who cancels ranks above one who stays.
        average_precision: area under the precision-recall curve.
        roc_auc_share: of what the true probabilities reach above 0.5: (AUC - .5) / (AUC* - .5).
        average_precision_share: of what the true probabilities reach: AP / AP*.
        capture_10: share of the cancels among the 10 % of rows with the highest scores.
        capture_33: the same at 33 %.
        calibration_error: mean |score - true probability| over 20 bins of equal mass; 0 for
            the true probabilities.
        calibration_slope: of the true log-odds on the predicted ones.
        calibration_intercept: of the same line.
    """

    n: int
    n_positive: float
    roc_auc: float
    average_precision: float
    roc_auc_share: float
    average_precision_share: float
    capture_10: float
    capture_33: float
    calibration_error: float
    calibration_slope: float
    calibration_intercept: float


def evaluate_expected(true: Values, scores: Values) -> ExpectedMetrics:
    """All expected figures.

    Args:
        true: chance of a 1 for each row, of independent outcomes, shape (rows,).
        scores: predicted probabilities, same shape.

    Raises:
        ValueError: if there are no rows.
    """
    auc, precision = expected_roc_auc(true, scores), expected_average_precision(true, scores)
    best_above_chance = expected_roc_auc(true, true) - 0.5
    tally = Ranking.of(true, scores).tally()
    intercept, slope = calibration_line(true, log_odds(scores))
    return ExpectedMetrics(
        n=len(true),
        n_positive=float(true.sum()),
        roc_auc=auc,
        average_precision=precision,
        roc_auc_share=(auc - 0.5) / best_above_chance if best_above_chance else float("nan"),
        average_precision_share=precision / expected_average_precision(true, true),
        capture_10=tally.capture(0.10),
        capture_33=tally.capture(0.33),
        calibration_error=expected_calibration_error(true, scores),
        calibration_slope=slope,
        calibration_intercept=intercept,
    )


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
    # Whoever is certain alone among certain others leaves only what rounding does.
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


def expected_calibration_error(true: Values, scores: Values) -> float:
    """Mean |score - true probability| over 20 bins of equal mass; 0 for the true ones.

    Raises:
        ValueError: if there are no rows.
    """
    return Ranking.of(true, scores).tally().calibration_error(N_BINS)
