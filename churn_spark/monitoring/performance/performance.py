"""How well the champion does on labelled rows, with intervals; and its guess without labels.

AUC has a closed variance (DeLong, DeLong and Clarke-Pearson 1988), computed from midranks in
n log n (Sun and Xu 2014) and summed by user (Obuchowski 1997): a user who is in several weekly
snapshots counts once. All other metrics get a bootstrap of users.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from churn_spark.arrays import Values
from churn_spark.evaluation.bootstrap import bootstrap_by_user
from churn_spark.evaluation.intervals import Interval
from churn_spark.monitoring.policy.evidence import (
    ChallengerComparison,
    MetricChange,
    SegmentDifference,
)

DRAWN_METRICS = ("f1", "average_precision", "log_loss", "brier", "calibration_error")
_ONE = "model"
_Z = float(stats.norm.ppf(0.975))


@dataclass(frozen=True)
class Estimate(Interval):
    """A metric with its 95 % interval and standard error; NaN where the rows can't tell."""

    standard_error: float


def estimate_auc(labels: Values, scores: Values, users: Values, widening: float = 1.0) -> Estimate:
    """ROC AUC with DeLong's interval, on the logit scale so that it stays within [0, 1].

    Args:
        labels: 0 or 1, shape (n,).
        scores: any order-preserving score, shape (n,).
        users: whose row it is, shape (n,).
        widening: of the standard error, where the scores themselves are of the same rows.

    Returns:
        NaN throughout without a user of each class; NaN bounds with fewer than two of each.
    """
    aucs, covariance = auc_covariance(labels, scores[None, :], users)
    auc, error = float(aucs[0]), widening * math.sqrt(covariance[0, 0])
    if not 0 < auc < 1 or not error > 0:
        # At the edge the variance is 0 or the logit infinite: all that is known is the value.
        is_known = not math.isnan(error)
        end = auc if is_known else math.nan
        return Estimate(auc, end, end, error)
    logit, spread = math.log(auc / (1 - auc)), _Z * error / (auc * (1 - auc))
    return Estimate(auc, _expit(logit - spread), _expit(logit + spread), error)


def compare_aucs(labels: Values, new: Values, old: Values, users: Values) -> Estimate:
    """AUC of `new` minus AUC of `old` on the same rows, paired: their errors largely cancel.

    The interval is Student's, with one degree of freedom less than the users of the rarer class:
    with the normal one, two equally good models differed surely in 8 to 10 of 100 draws of two
    cancels and in 4 to 5 of 100 of four.

    Raises:
        ValueError: if the arrays differ in length.
    """
    aucs, covariance = auc_covariance(labels, np.stack([new, old]), users)
    variance = covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
    # Equal scores differ by nothing, but rounding may leave a trace below 0.
    error = math.sqrt(variance) if variance > 0 else 0.0 if variance <= 0 else math.nan
    n_users = min(len(np.unique(users[is_label])) for is_label in (labels == 1, labels != 1))
    reach = float(stats.t.ppf(0.975, n_users - 1)) if n_users > 1 else math.nan
    return _around(float(aucs[0] - aucs[1]), error, reach)


def auc_covariance(labels: Values, scores: Values, users: Values) -> tuple[Values, Values]:
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


def measure(
    labels: Values,
    probabilities: Values,
    users: Values,
    *,
    threshold: float,
    n_replicas: int,
    seed: int,
) -> dict[str, Estimate]:
    """All judged metrics of one model with their intervals.

    Args:
        labels: 0 or 1, shape (n,).
        probabilities: shape (n,).
        users: whose row it is, shape (n,).
        threshold: where F1 is taken.
        n_replicas: draws of the users, for all metrics but AUC.
        seed: of the draws.
    """
    drawn = bootstrap_by_user(
        labels,
        {_ONE: probabilities},
        users,
        thresholds={_ONE: threshold},
        n_replicas=n_replicas,
        seed=seed,
    )
    estimates = {"roc_auc": estimate_auc(labels, probabilities, users)}
    for metric in DRAWN_METRICS:
        found, replicas = drawn.interval(_ONE, metric), drawn.replicas[_ONE][metric]
        error = float(np.nanstd(replicas, ddof=1)) if len(replicas) > 1 else math.nan
        estimates[metric] = Estimate(found.value, found.low, found.high, error)
    return estimates


def compare_challenger(
    versions: tuple[str, str],
    labels: Values,
    new: Values,
    old: Values,
    users: Values,
    segments: Mapping[str, Values],
) -> ChallengerComparison:
    """A challenger against the champion on the same rows, in none of their fits.

    Args:
        versions: of the challenger and of the champion.
        labels: 0 or 1, shape (n,).
        new: probabilities of the challenger, shape (n,).
        old: probabilities of the champion, shape (n,).
        users: whose row it is, shape (n,).
        segments: name -> the value of each row, shape (n,).
    """
    auc = compare_aucs(labels, new, old, users)
    values = bootstrap_by_user(
        labels,
        {"new": new, "old": old},
        users,
        thresholds={"new": 0.5, "old": 0.5},
        n_replicas=0,
        seed=0,
    ).values
    differences = []
    for name in sorted(segments):
        for value in np.unique(segments[name]):
            part = segments[name] == value
            n_positive = count_positive_users(labels[part], users[part])
            if 0 < n_positive < len(np.unique(users[part])):
                found = compare_aucs(labels[part], new[part], old[part], users[part])
                differences.append(SegmentDifference(f"{name}={value}", n_positive, found.value))
    return ChallengerComparison(
        version=versions[0],
        champion=versions[1],
        # Where it can't be estimated, all that is known of a difference is that it is above -1.
        auc_difference=0.0 if math.isnan(auc.value) else auc.value,
        auc_low=-1.0 if math.isnan(auc.low) else auc.low,
        log_loss_difference=values["new"]["log_loss"] - values["old"]["log_loss"],
        calibration_difference=(
            values["new"]["calibration_error"] - values["old"]["calibration_error"]
        ),
        segments=tuple(differences),
    )


def count_positive_users(labels: Values, users: Values) -> int:
    """Users who cancel: one who is in several weekly snapshots counts once."""
    return len(np.unique(users[labels == 1]))


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
    found = _around(current.value - reference.value, error, _Z)
    return MetricChange(metric, *window, found.value, found.low, found.high, n_positive)


def _sum_by(owner: NDArray[np.int64], values: Values, n_owners: int) -> Values:
    return np.stack([np.bincount(owner, weights=row, minlength=n_owners) for row in values])


def _around(value: float, error: float, reach: float) -> Estimate:
    return Estimate(value, value - reach * error, value + reach * error, error)


def _expit(logit: float) -> float:
    return 1 / (1 + math.exp(-logit))
