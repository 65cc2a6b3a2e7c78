"""How good predictions are: pure functions of labels and probabilities."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn import metrics as sk

FloatArray = np.ndarray


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
    """All figures for labels (0 or 1) and probabilities of the same length."""
    flagged = probabilities >= threshold
    is_positive = labels == 1
    tp, fp = int(np.sum(flagged & is_positive)), int(np.sum(flagged & ~is_positive))
    fn, tn = int(np.sum(~flagged & is_positive)), int(np.sum(~flagged & ~is_positive))
    has_both = 0 < is_positive.sum() < len(labels)
    nan = float("nan")
    return Metrics(
        n=len(labels),
        n_positive=int(is_positive.sum()),
        roc_auc=float(sk.roc_auc_score(labels, probabilities)) if has_both else nan,
        average_precision=(
            float(sk.average_precision_score(labels, probabilities)) if has_both else nan
        ),
        log_loss=float(sk.log_loss(labels, probabilities, labels=[0, 1])),
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

    Ties go to the higher threshold. Without a positive label nobody should be flagged: 1.
    """
    if not np.any(labels == 1):
        return 1.0
    precision, recall, thresholds = sk.precision_recall_curve(labels, probabilities)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
    best = np.flatnonzero(f1[:-1] >= f1[:-1].max() - 1e-12)[-1]
    return float(thresholds[best])


def precision_recall_points(
    labels: FloatArray, probabilities: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Threshold, precision and recall at every distinct probability, thresholds ascending."""
    precision, recall, thresholds = sk.precision_recall_curve(labels, probabilities)
    return thresholds, precision[:-1], recall[:-1]


def outcomes(labels: FloatArray, probabilities: FloatArray, threshold: float) -> FloatArray:
    """`true positive`, `false positive`, `false negative` or `true negative` of each row."""
    flagged, is_positive = probabilities >= threshold, labels == 1
    return np.select(
        [flagged & is_positive, flagged, is_positive],
        ["true positive", "false positive", "false negative"],
        "true negative",
    )
