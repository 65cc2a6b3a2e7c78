"""All metrics of scores against known true probabilities."""

from __future__ import annotations

from dataclasses import dataclass

from churn_spark.arrays import Values
from churn_spark.evaluation.expected import expected_average_precision, expected_roc_auc
from churn_spark.evaluation.ranking import Ranking
from churn_spark.evaluation.reliability import N_BINS, calibration_line, log_odds


@dataclass(frozen=True)
class ExpectedMetrics:
    """Expected metrics of one set of scores; the names are those of `Metrics`.

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
    """All expected metrics.

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


def expected_calibration_error(true: Values, scores: Values) -> float:
    """Mean |score - true probability| over 20 bins of equal mass; 0 for the true ones.

    Raises:
        ValueError: if there are no rows.
    """
    return Ranking.of(true, scores).tally().calibration_error(N_BINS)
