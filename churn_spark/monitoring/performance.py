"""How well the champion does on labelled rows, with intervals; and its guess without labels.

AUC has a closed variance (DeLong, DeLong and Clarke-Pearson 1988), computed from midranks in
n log n (Sun and Xu 2014) and summed by user (Obuchowski 1997): a user who is in several weekly
snapshots is one witness, not several. All other metrics get a bootstrap of users.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.special import xlogy

from churn_spark.models.metrics import average_precision
from churn_spark.monitoring.evidence import MetricChange

FloatArray = NDArray[Any]
Metric = Callable[[FloatArray, FloatArray], float]
N_CALIBRATION_BINS = 20
_Z = float(stats.norm.ppf(0.975))


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % interval; NaN where the rows can't tell.

    Attributes:
        value: the figure.
        standard_error: of it.
        low: lower bound.
        high: upper bound.
    """

    value: float
    standard_error: float
    low: float
    high: float


def estimate_auc(labels: FloatArray, scores: FloatArray, users: FloatArray) -> Estimate:
    """ROC AUC with DeLong's interval, on the logit scale so that it stays within [0, 1].

    Args:
        labels: 0 or 1, shape (n,).
        scores: any order-preserving score, shape (n,).
        users: whose row it is, shape (n,).

    Returns:
        NaN throughout without a user of each class; NaN bounds with fewer than two of each.
    """
    aucs, covariance = auc_covariance(labels, scores[None, :], users)
    auc, error = float(aucs[0]), math.sqrt(covariance[0, 0])
    if not 0 < auc < 1 or not error > 0:
        # At the edge the variance is 0 or the logit infinite: all that is known is the value.
        is_known = not math.isnan(error)
        return Estimate(auc, error, auc if is_known else math.nan, auc if is_known else math.nan)
    logit, spread = math.log(auc / (1 - auc)), _Z * error / (auc * (1 - auc))
    return Estimate(auc, error, _expit(logit - spread), _expit(logit + spread))


def compare_aucs(
    labels: FloatArray, new: FloatArray, old: FloatArray, users: FloatArray
) -> Estimate:
    """AUC of `new` minus AUC of `old` on the same rows, paired: their errors largely cancel.

    Raises:
        ValueError: if the arrays differ in length.
    """
    aucs, covariance = auc_covariance(labels, np.stack([new, old]), users)
    variance = covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
    # Equal scores differ by nothing, but rounding may leave a trace below 0.
    error = math.sqrt(variance) if variance > 0 else 0.0 if variance <= 0 else math.nan
    return _normal(float(aucs[0] - aucs[1]), error)


def auc_covariance(
    labels: FloatArray, scores: FloatArray, users: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """The AUC of each model and the covariance matrix of them all.

    Args:
        labels: 0 or 1, shape (n,).
        scores: one row per model, shape (k, n).
        users: whose row it is, shape (n,). With one row per user this is DeLong's estimate,
            with several it is Obuchowski's for clustered data.

    Returns:
        Shapes (k,) and (k, k). NaN where a class has no row, or fewer than two users.
    """
    is_positive = labels == 1
    n_positive = int(is_positive.sum())
    n_negative = len(labels) - n_positive
    k = len(scores)
    if n_positive == 0 or n_negative == 0:
        return np.full(k, np.nan), np.full((k, k), np.nan)
    aucs = np.empty(k)
    placements = np.empty(scores.shape)
    for model, row in enumerate(scores):
        ranks = stats.rankdata(row)
        within = np.empty(row.size)
        within[is_positive] = stats.rankdata(row[is_positive])
        within[~is_positive] = stats.rankdata(row[~is_positive])
        # Rows of the other class ranked below, ties counting half.
        n_below = ranks - within
        placements[model, is_positive] = n_below[is_positive] / n_negative
        placements[model, ~is_positive] = 1 - n_below[~is_positive] / n_positive
        aucs[model] = placements[model, is_positive].mean()
    _, owner = np.unique(users, return_inverse=True)
    n_users = int(owner.max()) + 1
    centred = placements - aucs[:, None]
    of_positives = _sum_by(owner, centred * is_positive, n_users) / n_positive
    of_negatives = _sum_by(owner, centred * ~is_positive, n_users) / n_negative
    with_positive = int(np.unique(owner[is_positive]).size)
    with_negative = int(np.unique(owner[~is_positive]).size)
    if min(with_positive, with_negative) < 2:
        return aucs, np.full((k, k), np.nan)
    # A user with rows of both classes ties the two sums together.
    crossed = of_positives @ of_negatives.T * n_users / (n_users - 1)
    covariance = (
        of_positives @ of_positives.T * with_positive / (with_positive - 1)
        + of_negatives @ of_negatives.T * with_negative / (with_negative - 1)
        + crossed
        + crossed.T
    )
    return aucs, covariance


def threshold_metrics(threshold: float) -> Mapping[str, Metric]:
    """The metrics that are judged beside AUC, by name; each from labels and probabilities."""

    def f1(labels: FloatArray, probabilities: FloatArray) -> float:
        flagged = probabilities >= threshold
        hits = float(np.sum(flagged & (labels == 1)))
        return 2 * hits / max(float(flagged.sum() + labels.sum()), 1.0)

    return {
        "f1": f1,
        "average_precision": average_precision,
        "log_loss": log_loss,
        "brier": lambda labels, probabilities: float(np.mean((probabilities - labels) ** 2)),
        "calibration_error": calibration_error,
    }


def bootstrap(
    labels: FloatArray,
    probabilities: FloatArray,
    users: FloatArray,
    metrics: Mapping[str, Metric],
    n_draws: int = 400,
    seed: int = 7,
) -> dict[str, Estimate]:
    """Each metric with its percentile interval over draws of users with replacement.

    A draw without both classes is left out; if half of them are, the interval is NaN.
    """
    rng = np.random.default_rng(seed)
    order = np.argsort(users, kind="stable")
    _, first, size = np.unique(users[order], return_index=True, return_counts=True)
    drawn: dict[str, list[float]] = {name: [] for name in metrics}
    for _ in range(n_draws):
        chosen = rng.integers(first.size, size=first.size)
        rows = order[_spread(first[chosen], size[chosen])]
        sample = labels[rows]
        if 0 < sample.sum() < len(sample):
            for name, metric in metrics.items():
                drawn[name].append(metric(sample, probabilities[rows]))
    estimates = {}
    for name, metric in metrics.items():
        values, value = np.array(drawn[name]), metric(labels, probabilities)
        if len(values) * 2 < n_draws:
            estimates[name] = Estimate(value, math.nan, math.nan, math.nan)
            continue
        low, high = np.percentile(values, [2.5, 97.5])
        estimates[name] = Estimate(value, float(values.std(ddof=1)), float(low), float(high))
    return estimates


def change_against(
    metric: str,
    current: Estimate,
    reference: Estimate,
    window: tuple[date, date],
    n_positive: int,
) -> MetricChange:
    """The window's metric minus its reference, with the errors of both.

    Args:
        metric: its name.
        current: on the window's rows.
        reference: on the rows that the champion was validated with; other users, so the two
            errors are independent.
        window: first as-of date, and the day after the last one.
        n_positive: cancels in the window.
    """
    error = math.hypot(current.standard_error, reference.standard_error)
    found = _normal(current.value - reference.value, error)
    return MetricChange(metric, *window, found.value, found.low, found.high, n_positive)


def log_loss(labels: FloatArray, probabilities: FloatArray) -> float:
    """Mean negative log-likelihood, in nats; certainty is clipped to what a float can tell."""
    tiny = np.finfo(np.float64).eps
    clipped = np.clip(probabilities, tiny, 1 - tiny)
    return float(-np.mean(xlogy(labels, clipped) + xlogy(1 - labels, 1 - clipped)))


def calibration_error(labels: FloatArray, probabilities: FloatArray) -> float:
    """Expected calibration error in 20 bins of equal size, by ascending probability.

    A perfect model shows more than 0: about .005 on 18,000 rows.
    """
    order = np.argsort(probabilities, kind="stable")
    gaps = (labels - probabilities)[order]
    edges = np.linspace(0, len(gaps), N_CALIBRATION_BINS + 1).round().astype(int)
    sums = np.diff(np.append(0.0, np.cumsum(gaps))[edges])
    return float(np.abs(sums).sum() / len(gaps))


def _sum_by(owner: NDArray[np.int64], values: FloatArray, n_owners: int) -> FloatArray:
    return np.stack([np.bincount(owner, weights=row, minlength=n_owners) for row in values])


def _spread(first: NDArray[np.int64], size: NDArray[np.int64]) -> NDArray[np.int64]:
    """The positions `first[i] .. first[i] + size[i] - 1` of every i, one after the other."""
    ends = np.cumsum(size)
    start_of_each: NDArray[np.int64] = np.repeat(first - (ends - size), size)
    return start_of_each + np.arange(start_of_each.size)


def _normal(value: float, error: float) -> Estimate:
    return Estimate(value, error, value - _Z * error, value + _Z * error)


def _expit(logit: float) -> float:
    return 1 / (1 + math.exp(-logit))
