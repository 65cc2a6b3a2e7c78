"""Which kind of calibration a model gets: decided by trees that weren't grown on the judged rows.

The offset that the trees add to is fitted on these rows all the same: an intercept and a slope for
each forecast, of all training and stopping users and dates.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from churn_spark.arrays import Values
from churn_spark.evaluation.folds import deal_folds
from churn_spark.evaluation.intervals import paired_difference
from churn_spark.evaluation.metrics import row_log_losses
from churn_spark.evaluation.weights import effective_size
from churn_spark.models.calibration import KINDS, Calibration, Kind, fit_calibration

MIN_POSITIVES: Final = 50
MIN_ISOTONIC_POSITIVES: Final = 1000

_N_FOLDS = 5
_CLEARLY = 2.0


@dataclass(frozen=True)
class ChosenCalibration:
    """A calibration and why it is this one.

    Attributes:
        calibration: of the chosen kind, fitted on all rows.
        held_out: kind -> mean log loss, in nats, of the rows whose users its fit had not seen;
            of the kinds that were tried.
        reason: one sentence.
    """

    calibration: Calibration
    held_out: Mapping[Kind, float]
    reason: str


def choose_calibration(
    margins: Values,
    labels: Values,
    users: Values,
    *,
    seed: int,
    weights: Values | None = None,
) -> ChosenCalibration:
    """The simplest kind that is within two standard errors of the best on held-out users.

    The order is none, shift, beta, isotonic. The loss of each is taken on five folds of users,
    and its standard error is that of the paired difference to the best kind, user by user: the
    noise of the outcomes, which all kinds share, is not in it. One standard error is not enough:
    a step function follows the chance outcomes of a single date, and the next date has others.
    With fewer than 50 positive rows a curve would follow single users: there is only the shift;
    with fewer than 1,000 there is no step function. Where fewer than two users show one of the
    classes nothing can be held out.

    Args:
        margins: in log-odds, by trees that were not grown on these rows, finite, shape (rows,).
        labels: 0 or 1, same shape.
        users: whose each row is; a user is in one fold only.
        seed: of the folds.
        weights: how often each row counts, same shape; once by default. The positive rows are
            then as many as rows of equal weight would tell as much.

    Raises:
        ValueError: if the arrays differ in length.
    """
    if not len(margins) == len(labels) == len(users):
        raise ValueError(
            f"found {len(margins)} margins, {len(labels)} labels and {len(users)} users, "
            "expected as many of each"
        )
    names, user = np.unique(users, return_inverse=True)
    shown = [np.bincount(user[labels == label], minlength=len(names)) > 0 for label in (0, 1)]
    n_rarer = min(int(is_shown.sum()) for is_shown in shown)
    if n_rarer < 2:
        reason = f"none: it takes 2 users with each outcome, one has {n_rarer}"
        return ChosenCalibration(Calibration("none"), {}, reason)
    is_positive = labels == 1
    n_positive = int(
        np.sum(is_positive) if weights is None else effective_size(weights[is_positive])
    )
    n_kinds = 2 + (n_positive >= MIN_POSITIVES) + (n_positive >= MIN_ISOTONIC_POSITIVES)
    kinds = KINDS[:n_kinds]
    fold = _folds(shown[0], shown[1], min(_N_FOLDS, n_rarer), seed)[user]
    losses = {kind: _held_out_losses(kind, margins, labels, fold, weights) for kind in kinds}
    held_out = {kind: float(np.average(losses[kind], weights=weights)) for kind in kinds}
    worse = {kind: _worse(losses[kind], losses, held_out, user, weights) for kind in kinds}
    kind = next(kind for kind in kinds if worse[kind][0] <= _CLEARLY * worse[kind][1])
    reason = _describe(kind, held_out, worse, n_positive, len(labels))
    return ChosenCalibration(fit_calibration(kind, margins, labels, weights), held_out, reason)


def _folds(is_negative: Values, is_positive: Values, n_folds: int, seed: int) -> Values:
    """The fold of each user; those who show a class are dealt out one after the other.

    So no fold holds all of a class: users who show both lie between the two other kinds.
    """
    shuffled = np.random.default_rng(seed).permutation(len(is_positive))
    group = is_positive.astype(int) - is_negative.astype(int)
    order = shuffled[np.argsort(group[shuffled], kind="stable")]
    return deal_folds(order, np.ones(len(order), dtype=np.int64), n_folds)


def _held_out_losses(
    kind: Kind, margins: Values, labels: Values, fold: Values, weights: Values | None
) -> Values:
    """Log loss of each row under a calibration fitted on the other folds, shape (rows,)."""
    losses = np.empty(len(labels))
    for held_out in np.unique(fold):
        inside = fold == held_out
        others = None if weights is None else weights[~inside]
        calibration = fit_calibration(kind, margins[~inside], labels[~inside], others)
        probabilities = calibration.probabilities(margins[inside])
        losses[inside] = row_log_losses(labels[inside], probabilities)
    return losses


def _worse(
    losses: Values,
    all_losses: Mapping[Kind, Values],
    held_out: Mapping[Kind, float],
    user: Values,
    weights: Values | None,
) -> tuple[float, float]:
    """Mean excess over the best kind's loss, and its standard error over users; per row."""
    best = min(held_out, key=lambda kind: held_out[kind])
    excess = losses - all_losses[best]
    # Not the difference of the two means: they can round apart where all rows are equal.
    if weights is not None:
        excess = excess * weights
    return paired_difference(np.bincount(user, weights=excess), np.bincount(user, weights))


def _describe(
    kind: Kind,
    held_out: Mapping[Kind, float],
    worse: Mapping[Kind, tuple[float, float]],
    n_positive: int,
    n: int,
) -> str:
    best = min(held_out, key=lambda name: held_out[name])
    margin = f"{_CLEARLY:g} standard errors"
    losses = ", ".join(f"{name} {loss:.4f}" for name, loss in held_out.items())
    if kind == best:
        why = (
            "lowest log loss"
            if kind == KINDS[0]
            else f"log loss lower by more than {margin} than of all simpler kinds"
        )
    else:
        excess, error = worse[kind]
        why = (
            f"the simplest kind that is not clearly worse than {best} (log loss higher by "
            f"{excess:.4f}, standard error {error:.4f}; clear are {margin})"
        )
    few = f" (a curve needs {MIN_POSITIVES})" if n_positive < MIN_POSITIVES else ""
    rows = f"{n_positive} of {n} rows cancel{few}"
    return f"{kind}: {why}; log loss by cross-validation: {losses}; {rows}"
