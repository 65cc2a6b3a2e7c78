"""How good predictions are: pure functions of labels and probabilities."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import xlogy
from scipy.stats import rankdata

FloatArray = NDArray[Any]


@dataclass(frozen=True)
class Metrics:
    """Figures of one set of predictions.

    Attributes:
        n: rows.
        n_positive: rows with label 1.
        roc_auc: chance that a canceller ranks above a stayer; NaN without both classes.
        average_precision: area under the precision-recall curve; compare it with the base rate.
        log_loss: mean negative log-likelihood, in nats.
        brier: mean squared error of the probability.
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
    threshold: float
    f1: float
    precision: float
    recall: float
    true_positives: int
    false_positives: int
    false_negatives: int
    true_negatives: int


def evaluate(labels: FloatArray, probabilities: FloatArray, threshold: float) -> Metrics:
    """All figures for labels (0 or 1) and probabilities of the same length.

    Raises:
        ValueError: if there are no rows.
    """
    flagged = probabilities >= threshold
    is_positive = labels == 1
    tp, fp = int(np.sum(flagged & is_positive)), int(np.sum(flagged & ~is_positive))
    fn, tn = int(np.sum(~flagged & is_positive)), int(np.sum(~flagged & ~is_positive))
    has_both = 0 < is_positive.sum() < len(labels)
    nan = float("nan")
    return Metrics(
        n=len(labels),
        n_positive=int(is_positive.sum()),
        roc_auc=roc_auc(labels, probabilities) if has_both else nan,
        average_precision=(average_precision(labels, probabilities) if has_both else nan),
        log_loss=_log_loss(labels, probabilities),
        brier=float(np.mean((probabilities - labels) ** 2)),
        threshold=threshold,
        f1=2 * tp / max(2 * tp + fp + fn, 1),
        precision=tp / max(tp + fp, 1),
        recall=tp / max(tp + fn, 1),
        true_positives=tp,
        false_positives=fp,
        false_negatives=fn,
        true_negatives=tn,
    )


def best_f1_threshold(labels: FloatArray, probabilities: FloatArray) -> float:
    """The probability at which flagging from there up gives the highest F1.

    Ties go to the higher threshold. Without a positive label nobody should be flagged: infinity.
    """
    if not np.any(labels == 1):
        return math.inf
    thresholds, precision, recall = precision_recall_points(labels, probabilities)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
    best = np.flatnonzero(f1 >= f1.max() - 1e-12)[-1]
    return float(thresholds[best])


def precision_recall_points(
    labels: FloatArray, probabilities: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Threshold, precision and recall at every distinct probability, thresholds ascending.

    Without a positive label every recall is 0.
    """
    order = np.argsort(-probabilities, kind="stable")
    is_positive = (labels == 1)[order]
    last_of_value = np.flatnonzero(np.append(np.diff(probabilities[order]) != 0, True))
    hits = np.cumsum(is_positive)[last_of_value]
    precision = hits / (last_of_value + 1)
    recall = hits / max(int(is_positive.sum()), 1)
    thresholds = probabilities[order][last_of_value]
    return thresholds[::-1], precision[::-1], recall[::-1]


def roc_auc(labels: FloatArray, probabilities: FloatArray) -> float:
    """Chance that a random positive ranks above a random negative, ties counting half.

    Both classes must be present. Source: the Mann-Whitney U statistic over n1 * n0.
    """
    is_positive = labels == 1
    n_positive = int(is_positive.sum())
    rank_sum = float(rankdata(probabilities)[is_positive].sum())
    u_statistic = rank_sum - n_positive * (n_positive + 1) / 2
    return u_statistic / (n_positive * (len(labels) - n_positive))


def average_precision(labels: FloatArray, probabilities: FloatArray) -> float:
    """Precision averaged over the gains in recall, from the highest threshold down."""
    _, precision, recall = precision_recall_points(labels, probabilities)
    gains = -np.diff(np.append(recall, 0.0))
    return float(np.sum(gains * precision))


def _log_loss(labels: FloatArray, probabilities: FloatArray) -> float:
    """Mean negative log-likelihood; certainty is clipped to what a float can tell from it."""
    tiny = np.finfo(np.float64).eps
    clipped = np.clip(probabilities, tiny, 1 - tiny)
    return float(-np.mean(xlogy(labels, clipped) + xlogy(1 - labels, 1 - clipped)))


def outcomes(labels: FloatArray, probabilities: FloatArray, threshold: float) -> FloatArray:
    """`true positive`, `false positive`, `false negative` or `true negative` of each row."""
    flagged, is_positive = probabilities >= threshold, labels == 1
    return np.select(
        [flagged & is_positive, flagged, is_positive],
        ["true positive", "false positive", "false negative"],
        "true negative",
    )
