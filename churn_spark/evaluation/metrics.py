"""How good predictions are: pure functions of labels and probabilities."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import xlogy

from churn_spark.arrays import Values
from churn_spark.evaluation.ranking import Ranking, Tally
from churn_spark.evaluation.reliability import N_BINS, calibration_line, log_odds
from churn_spark.evaluation.weights import by_weight


@dataclass(frozen=True)
class Metrics:
    """Metrics of one set of predictions.

    Attributes:
        n: rows.
        n_positive: rows with label 1.
        roc_auc: chance that a canceller ranks above a stayer; NaN without both classes.
        average_precision: area under the precision-recall curve; compare it with the base rate.
        log_loss: mean negative log-likelihood, in nats.
        brier: mean squared error of the probability.
        capture_10: share of the cancellers among the 10 % of rows with the highest
            probabilities, equal rows by their share; NaN without a canceller.
        capture_33: among the highest 33 %.
        lift_10: capture over what a list in random order captures, 10 %.
        lift_33: the same at 33 %.
        calibration_error: mean |probability - share of cancellers| over 20 bins of equal mass;
            even a perfect model has about .005 by chance, at 18,000 rows with 5 % cancellers.
        calibration_slope: of the label's log-odds on the predicted ones; below 1 the
            probabilities are too extreme; NaN where no line can be fitted.
        calibration_intercept: of the same line.
        threshold: at which the counts below are taken.
        f1: of the churn class, at the threshold.
        precision: at the threshold; 0 when nobody is flagged.
        recall: at the threshold.
        true_positives: flagged and cancelled.
        false_positives: flagged and stayed.
        false_negatives: missed.
        true_negatives: neither.
    """

    n: int
    n_positive: int
    roc_auc: float
    average_precision: float
    log_loss: float
    brier: float
    capture_10: float
    capture_33: float
    lift_10: float
    lift_33: float
    calibration_error: float
    calibration_slope: float
    calibration_intercept: float
    threshold: float
    f1: float
    precision: float
    recall: float
    true_positives: int
    false_positives: int
    false_negatives: int
    true_negatives: int


def evaluate(
    labels: Values, probabilities: Values, threshold: float, weights: Values | None = None
) -> Metrics:
    """All metrics for labels (0 or 1) and probabilities of the same length.

    With weights each row counts so often in every share and mean; the numbers of rows stay such.

    Raises:
        ValueError: if there are no rows.
    """
    tally = weighted_tally(labels, probabilities, weights)
    n, flagged = len(labels), probabilities >= threshold
    n_positive, n_flagged = int(np.sum(labels == 1)), int(np.sum(flagged))
    tp = int(np.sum(flagged & (labels == 1)))
    at_threshold = tally.flagged(threshold)
    intercept, slope = calibration_line(labels, log_odds(probabilities), weights)
    return Metrics(
        n=n,
        n_positive=n_positive,
        roc_auc=tally.roc_auc(),
        average_precision=tally.average_precision(),
        log_loss=float(np.average(row_log_losses(labels, probabilities), weights=weights)),
        brier=float(np.average((probabilities - labels) ** 2, weights=weights)),
        capture_10=tally.capture(0.10),
        capture_33=tally.capture(0.33),
        lift_10=tally.capture(0.10) / 0.10,
        lift_33=tally.capture(0.33) / 0.33,
        calibration_error=tally.calibration_error(N_BINS),
        calibration_slope=slope,
        calibration_intercept=intercept,
        threshold=threshold,
        f1=tally.f1(threshold),
        precision=at_threshold[1] / (at_threshold[0] or 1),
        recall=at_threshold[1] / (float(tally.hits[-1]) or 1),
        true_positives=tp,
        false_positives=n_flagged - tp,
        false_negatives=n_positive - tp,
        true_negatives=n - n_flagged - n_positive + tp,
    )


def weighted_tally(labels: Values, probabilities: Values, weights: Values | None) -> Tally:
    """The tally of rows that count as often as the weights say, once without any."""
    ranking = Ranking.of(labels, probabilities)
    return ranking.tally(None if weights is None else weights[ranking.order])


def best_f1_threshold(
    labels: Values, probabilities: Values, weights: Values | None = None
) -> float:
    """The probability at which flagging from there up gives the highest F1.

    Ties go to the higher threshold. Without a positive label nobody should be flagged: infinity.
    """
    if not np.any(labels == 1):
        return math.inf
    thresholds, precision, recall = precision_recall_points(labels, probabilities, weights)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
    best = np.flatnonzero(f1 >= f1.max() - 1e-12)[-1]
    return float(thresholds[best])


def choose_threshold(labels: Values, probabilities: Values, weights: Values | None) -> float:
    """The probability from which on a model flags: that of the best F1 on these rows.

    Where no label of them is positive, F1 says nothing: then as many are flagged as are expected to
    be, at least one.
    """
    if np.any(labels == 1) or not len(labels):
        return best_f1_threshold(labels, probabilities, weights)
    counts = by_weight(np.ones(len(labels)), weights)
    falling = np.argsort(-probabilities, kind="stable")
    n_expected = probabilities @ counts
    place = int(np.searchsorted(np.cumsum(counts[falling]), n_expected))
    return float(probabilities[falling[min(place, len(falling) - 1)]])


def precision_recall_points(
    labels: Values, probabilities: Values, weights: Values | None = None
) -> tuple[Values, Values, Values]:
    """Threshold, precision and recall at every distinct probability, thresholds ascending.

    Without a positive label every recall is 0.
    """
    tally = weighted_tally(labels, probabilities, weights)
    precision = tally.hits[1:] / tally.n[1:]
    recall = tally.hits[1:] / (tally.hits[-1] or 1)
    return tally.thresholds[::-1], precision[::-1], recall[::-1]


def roc_points(labels: Values, probabilities: Values) -> tuple[Values, Values]:
    """Share of the stayers and share of the cancellers flagged, from nobody to everybody.

    One point for each distinct probability, and the origin. Without a class its share is 0.
    """
    tally = Ranking.of(labels, probabilities).tally()
    return tally.misses / max(tally.misses[-1], 1), tally.hits / max(tally.hits[-1], 1)


def gains_points(labels: Values, probabilities: Values) -> tuple[Values, Values]:
    """Share of the rows contacted and share of the cancellers found, from nobody to everybody.

    One point for each distinct probability, and the origin. Without a canceller none is found.
    """
    tally = Ranking.of(labels, probabilities).tally()
    return tally.n / tally.n[-1], tally.hits / max(tally.hits[-1], 1)


def roc_auc(labels: Values, probabilities: Values) -> float:
    """Chance that a random positive ranks above a random negative, ties counting half.

    NaN without both classes.
    """
    return Ranking.of(labels, probabilities).tally().roc_auc()


def average_precision(labels: Values, probabilities: Values) -> float:
    """Precision averaged over the gains in recall, from the highest threshold down.

    NaN without both classes.
    """
    return Ranking.of(labels, probabilities).tally().average_precision()


def row_log_losses(labels: Values, probabilities: Values) -> Values:
    """Negative log-likelihood of each row, in nats; finite also for probabilities of 0 and 1."""
    tiny = np.finfo(np.float64).eps
    clipped = np.clip(probabilities, tiny, 1 - tiny)
    return np.asarray(-xlogy(labels, clipped) - xlogy(1 - labels, 1 - clipped))


def outcomes(labels: Values, probabilities: Values, threshold: float) -> Values:
    """`true positive`, `false positive`, `false negative` or `true negative` of each row."""
    flagged, is_positive = probabilities >= threshold, labels == 1
    return np.select(
        [flagged & is_positive, flagged, is_positive],
        ["true positive", "false positive", "false negative"],
        "true negative",
    )
