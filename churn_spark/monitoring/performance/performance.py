"""How well the champion does on labelled rows, with intervals; and its guess without labels.

AUC has a closed variance (DeLong, DeLong and Clarke-Pearson 1988), computed from midranks in
n log n (Sun and Xu 2014) and summed by user (Obuchowski 1997): a user who is in several weekly
snapshots counts once. All other metrics get a bootstrap of users.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.special import expit, logit

from churn_spark.arrays import Values
from churn_spark.evaluation.bootstrap import bootstrap_by_user
from churn_spark.evaluation.intervals import Interval
from churn_spark.evaluation.weights import count_users
from churn_spark.monitoring.policy.evidence import MetricChange

DRAWN_METRICS = ("f1", "average_precision", "log_loss", "brier", "calibration_error")
_ONE = "model"
NORMAL_975 = float(stats.norm.ppf(0.975))


@dataclass(frozen=True)
class Estimate(Interval):
    """A metric with its 95 % interval and standard error; NaN where the rows can't tell."""

    standard_error: float


def estimate_auc(
    labels: Values,
    scores: Values,
    users: Values,
    widening: float = 1.0,
    weights: Values | None = None,
) -> Estimate:
    """ROC AUC with DeLong's interval, on the logit scale so that it stays within [0, 1].

    Args:
        labels: 0 or 1, shape (n,).
        scores: any order-preserving score, shape (n,).
        users: whose row it is, shape (n,).
        widening: of the standard error, where the scores themselves are of the same rows.
        weights: how often each row counts, shape (n,); once by default.

    Returns:
        NaN throughout without a user of each class; NaN bounds with fewer than two of each.
    """
    aucs, covariance = auc_covariance(labels, scores[None, :], users, weights)
    auc, error = float(aucs[0]), widening * math.sqrt(covariance[0, 0])
    if not 0 < auc < 1 or not error > 0:
        # At the edge the variance is 0 or the logit infinite: all that is known is the value.
        is_known = not math.isnan(error)
        end = auc if is_known else math.nan
        return Estimate(auc, end, end, error)
    centre, spread = logit(auc), NORMAL_975 * error / (auc * (1 - auc))
    return Estimate(auc, float(expit(centre - spread)), float(expit(centre + spread)), error)


def compare_aucs(
    labels: Values, new: Values, old: Values, users: Values, weights: Values | None = None
) -> Estimate:
    """AUC of `new` minus AUC of `old` on the same rows, paired: their errors largely cancel.

    The interval is Student's, with one degree of freedom less than the users of the rarer class:
    with the normal one, two equally good models differed surely in 8 to 10 of 100 draws of two
    cancels and in 4 to 5 of 100 of four.

    Raises:
        ValueError: if the arrays differ in length.
    """
    aucs, covariance = auc_covariance(labels, np.stack([new, old]), users, weights)
    variance = covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
    # Equal scores differ by nothing, but rounding may leave a trace below 0.
    error = math.sqrt(variance) if variance > 0 else 0.0 if variance <= 0 else math.nan
    n_users = min(count_users(users, is_label, weights) for is_label in (labels == 1, labels != 1))
    reach = float(stats.t.ppf(0.975, n_users - 1)) if n_users > 1 else math.nan
    return _around(float(aucs[0] - aucs[1]), error, reach)


def auc_covariance(
    labels: Values, scores: Values, users: Values, weights: Values | None = None
) -> tuple[Values, Values]:
    """The AUC of each model and the covariance matrix of them all.

    Args:
        labels: 0 or 1, shape (n,).
        scores: one row per model, shape (k, n).
        users: whose row it is, shape (n,). With one row per user this is DeLong's estimate,
            with several it is Obuchowski's for clustered data.
        weights: how often each row counts, shape (n,); once by default. Who counts for many adds
            to the variance as such.

    Returns:
        Shapes (k,) and (k, k). NaN where a class has no row, or fewer than two users.
    """
    is_positive = labels == 1
    n_positive = int(is_positive.sum())
    n_negative = len(labels) - n_positive
    k = len(scores)
    if n_positive == 0 or n_negative == 0:
        return np.full(k, np.nan), np.full((k, k), np.nan)
    placements = np.stack([_placements(row, is_positive, weights) for row in scores])
    of_class = None if weights is None else weights[is_positive]
    aucs = np.array([np.average(row[is_positive], weights=of_class) for row in placements])
    _, owner = np.unique(users, return_inverse=True)
    n_users = int(owner.max()) + 1
    centred = placements - aucs[:, None]
    if weights is not None:
        centred = centred * weights
        n_positive, n_negative = weights[is_positive].sum(), weights[~is_positive].sum()
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


def _placements(scores: Values, is_positive: Values, weights: Values | None) -> Values:
    """Of each row the share of the other class that it ranks on the right side of, ties half."""
    if weights is None:
        below = stats.rankdata(scores)
        for is_class in (is_positive, ~is_positive):
            below[is_class] -= stats.rankdata(scores[is_class])
        n_positive, n_negative = int(is_positive.sum()), int((~is_positive).sum())
    else:
        _, place = np.unique(scores, return_inverse=True)
        below = np.empty(len(scores))
        n_positive, n_negative = weights[is_positive].sum(), weights[~is_positive].sum()
        for is_class in (is_positive, ~is_positive):
            mass = np.bincount(place[~is_class], weights[~is_class], int(place.max()) + 1)
            below[is_class] = (np.cumsum(mass) - mass / 2)[place[is_class]]
    return np.where(is_positive, below / n_negative, 1 - below / n_positive)


def measure(
    labels: Values,
    probabilities: Values,
    users: Values,
    *,
    threshold: float,
    n_replicas: int,
    seed: int,
    weights: Values | None = None,
) -> dict[str, Estimate]:
    """All judged metrics of one model with their intervals.

    Args:
        labels: 0 or 1, shape (n,).
        probabilities: shape (n,).
        users: whose row it is, shape (n,).
        threshold: where F1 is taken.
        n_replicas: draws of the users, for all metrics but AUC.
        seed: of the draws.
        weights: how often each row counts, shape (n,); once by default.
    """
    drawn = bootstrap_by_user(
        labels,
        {_ONE: probabilities},
        users,
        thresholds={_ONE: threshold},
        n_replicas=n_replicas,
        seed=seed,
        weights=weights,
    )
    estimates = {"roc_auc": estimate_auc(labels, probabilities, users, weights=weights)}
    for metric in DRAWN_METRICS:
        found, replicas = drawn.interval(_ONE, metric), drawn.replicas[_ONE][metric]
        error = float(np.nanstd(replicas, ddof=1)) if len(replicas) > 1 else math.nan
        estimates[metric] = Estimate(found.value, found.low, found.high, error)
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
    found = _around(current.value - reference.value, error, NORMAL_975)
    return MetricChange(metric, *window, found.value, found.low, found.high, n_positive)


def _sum_by(owner: NDArray[np.int64], values: Values, n_owners: int) -> Values:
    return np.stack([np.bincount(owner, weights=row, minlength=n_owners) for row in values])


def _around(value: float, error: float, reach: float) -> Estimate:
    return Estimate(value, value - reach * error, value + reach * error, error)
