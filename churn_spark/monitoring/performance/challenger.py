"""A challenger beside the champion, on rows that neither has learnt: what the gate decides by."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pandas as pd

from churn_spark.arrays import Bools, Values
from churn_spark.contracts.features.segments import SEGMENTS
from churn_spark.evaluation.bootstrap import bootstrap_by_user
from churn_spark.evaluation.intervals import paired_difference
from churn_spark.evaluation.metrics import row_log_losses
from churn_spark.evaluation.treated import weights_in
from churn_spark.evaluation.weights import count_positive_users
from churn_spark.monitoring.performance.performance import NORMAL_975, compare_aucs
from churn_spark.monitoring.policy.evidence import ChallengerComparison, SegmentDifference


def newest_rows(
    dates: Values,
    labels: Values,
    users: Values,
    n_positive: int,
    weights: Values | None = None,
) -> Bools:
    """Which rows are of the newest dates, as many of these as it takes; shape (n,).

    Args:
        dates: as-of date of each row, shape (n,).
        labels: 0 or 1, shape (n,).
        users: whose row it is, shape (n,).
        n_positive: so many users who cancel are to be among them; all rows where there are fewer.
        weights: how often each row counts, shape (n,); once by default.
    """
    for first in sorted({*dates}, reverse=True):
        chosen: Bools = dates >= first
        of_chosen = None if weights is None else weights[chosen]
        if count_positive_users(labels[chosen], users[chosen], of_chosen) >= n_positive:
            return chosen
    return np.ones(len(dates), dtype=bool)


def compare_challenger(
    versions: tuple[str, str], rows: pd.DataFrame, *, n_level: int, restores_drift: bool = False
) -> ChallengerComparison:
    """A challenger against the champion on the same rows, in none of their fits.

    Who ranks better is told by all rows. Whose probabilities are right is told by the newest
    dates alone: a challenger that has learnt how many cancel now is wrong about the weeks before.
    Without any row nothing can be said for it.

    Args:
        versions: of the challenger and of the champion.
        rows: as_of, user_id, label, the probabilities `new` of the challenger and `old` of the
            champion, and the columns of `SEGMENTS`; with `weight` where rows don't count once.
        n_level: users who cancel that probabilities are compared by; see `newest_rows`.
        restores_drift: see `ChallengerComparison`.
    """
    if rows.empty:
        return ChallengerComparison(*versions, 0.0, -1.0, 0.0, 0.0, auc_high=1.0, n_positive=0)
    labels, users = rows["label"].to_numpy(float), rows["user_id"].to_numpy()
    weights = weights_in(rows)
    new, old, dates = rows["new"].to_numpy(), rows["old"].to_numpy(), rows["as_of"].to_numpy()
    auc = compare_aucs(labels, new, old, users, weights)
    newest = newest_rows(dates, labels, users, n_level, weights)
    outcomes, of_new, of_old, who = (values[newest] for values in (labels, new, old, users))
    counts = None if weights is None else weights[newest]
    values = bootstrap_by_user(
        outcomes,
        {"new": of_new, "old": of_old},
        who,
        thresholds={"new": 0.5, "old": 0.5},
        n_replicas=0,
        seed=0,
        weights=counts,
    ).values
    low, high = _loss_bounds(outcomes, of_new, of_old, who, counts)
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
        segments=tuple(_segment_differences(rows)),
        auc_high=1.0 if math.isnan(auc.high) else auc.high,
        log_loss_low=low,
        log_loss_high=high,
        n_positive=count_positive_users(labels, users, weights),
        restores_drift=restores_drift,
        level_from=min(dates[newest]),
    )


def _segment_differences(rows: pd.DataFrame) -> Iterator[SegmentDifference]:
    """Those of the segments in which users of each class are."""
    for name in sorted(SEGMENTS):
        for value, part in rows.groupby(name):
            labels, users = part["label"].to_numpy(), part["user_id"].to_numpy()
            weights = weights_in(part)
            n_positive = count_positive_users(labels, users, weights)
            if 0 < n_positive < part["user_id"].nunique():
                scores = part["new"].to_numpy(), part["old"].to_numpy()
                found = compare_aucs(labels, *scores, users, weights)
                yield SegmentDifference(f"{name}={value}", n_positive, found.value)


def _loss_bounds(
    labels: Values, new: Values, old: Values, users: Values, weights: Values | None
) -> tuple[float, float] | tuple[None, None]:
    """95 % bounds of the log loss of `new` minus that of `old`, paired; none of one user."""
    worse = row_log_losses(labels, new) - row_log_losses(labels, old)
    counts = np.ones(len(worse)) if weights is None else weights
    _, owner = np.unique(users, return_inverse=True)
    sums, n_rows = np.bincount(owner, worse * counts), np.bincount(owner, counts)
    mean, error = paired_difference(sums, n_rows)
    if not math.isfinite(error):
        return None, None
    return mean - NORMAL_975 * error, mean + NORMAL_975 * error
