"""Which parameters the trees should have: how trials are summed up, and which one wins. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from churn_spark.arrays import Floats, Values
from churn_spark.evaluation.intervals import paired_difference


@dataclass(frozen=True)
class FoldResult:
    """Losses on one fold, of trees fitted on other users and earlier dates.

    Attributes:
        losses: sums in nats after each number of trees, by group of users, shape (grid, groups).
        n_rows: rows of each group, each as often as it counts, shape (groups,).
        aucs: area under the ROC curve after each number of trees, shape (grid,).
    """

    losses: Floats
    n_rows: Values
    aucs: Floats


@dataclass(frozen=True)
class TrialResult:
    """The folds of one trial together, at the number of trees that loses least on all of them.

    Attributes:
        rounds: that number of trees.
        loss: mean over rows, in nats.
        auc: mean over folds.
        group_losses: sums in nats by group, all folds, shape (folds x groups,).
    """

    rounds: int
    loss: float
    auc: float
    group_losses: tuple[float, ...]


@dataclass(frozen=True)
class Candidate:
    """A finished trial.

    Attributes:
        number: of the trial.
        parameters: LightGBM's parameter -> its value.
        is_present: whether these are the parameters of the configuration.
        result: what it lost.
    """

    number: int
    parameters: Mapping[str, float]
    is_present: bool
    result: TrialResult


@dataclass(frozen=True)
class Choice:
    """The parameters to use from now on, and why.

    Attributes:
        candidate: the trial that has them.
        reason: one sentence.
    """

    candidate: Candidate
    reason: str


def sum_up(folds: Sequence[FoldResult], grid: Sequence[int]) -> TrialResult:
    """Put folds together and take the number of trees with the least loss on all of them.

    Args:
        folds: at least one.
        grid: numbers of trees, as in the folds.
    """
    losses = np.concatenate([fold.losses for fold in folds], axis=1)
    n_rows = sum(float(fold.n_rows.sum()) for fold in folds)
    means = losses.sum(axis=1) / n_rows
    best = int(np.argmin(means))
    auc = float(np.mean([fold.aucs[best] for fold in folds]))
    return TrialResult(grid[best], float(means[best]), auc, tuple(losses[best].tolist()))


def paired_gain(
    candidate: TrialResult, reference: TrialResult, n_rows: Values
) -> tuple[float, float]:
    """How much less a trial loses than another on the same rows, and its standard error.

    A user's rows are in one group.

    Args:
        candidate: of whom a loss below the reference is a gain.
        reference: tried on the same rows.
        n_rows: of each group, shape (folds x groups,).

    Returns:
        Mean over rows and its error, in nats.
    """
    gains = np.array(reference.group_losses) - np.array(candidate.group_losses)
    return paired_difference(gains, n_rows)


def choose_parameters(candidates: Sequence[Candidate], n_rows: Values) -> Choice:
    """Take the trial with the least loss if it gains more than one standard error, else stay.

    The best of many trials looks better than it is, so a gain within the sampling error of the
    users changes nothing. Source: the one-standard-error rule of Breiman, Friedman, Olshen
    and Stone, "Classification and Regression Trees" (1984), on paired differences.

    Args:
        candidates: all tried on the same rows; one of them has the present parameters.
        n_rows: of each group of users, shape (folds x groups,).

    Raises:
        ValueError: if not exactly one has the present parameters.
    """
    present = [candidate for candidate in candidates if candidate.is_present]
    if len(present) != 1:
        raise ValueError(f"found {len(present)} trials of the present parameters, expected one")
    # Of equal ones the oldest: the present parameters where they are among them.
    best = min(candidates, key=lambda c: (c.result.loss, not c.is_present, c.number))
    if best.is_present:
        return Choice(best, f"none of {len(candidates)} trials loses less than the present")
    gain, error = paired_gain(best.result, present[0].result, n_rows)
    compared = (
        f"trial {best.number} loses {gain:.2e} nats a row less than the present parameters; one "
        f"standard error is {error:.2e}"
    )
    return Choice(best if gain > error else present[0], compared)
