"""How well an order finds those whom being listed keeps: the Qini, and its interval at any look.

Users were drawn: a share s of them was withheld. The transformed outcome of a user

    saved = (y - m) / s of one withheld,    -(y - m) / (1 - s) of one listed,

with y = 1 where the user cancels, has the user's true saving as its mean, whatever m is, if that
was known before the draw (Athey and Imbens, PNAS 113, 2016; here m is the served risk, which makes
it vary less). Who lists the first share of an order saves the sum of these over all users; the
Qini is the area between that curve and the straight line of an order by chance (Radcliffe, "Using
control groups to target on predicted lift", 2007; here per user, so that 0.01 is one cancel of
100 users). It is the mean of saved x (share of users that come after - 1/2), so its error is that
of a mean; that the ranks are found in the same sample is part of it (Hajek's projection). At all
looks together it is within `boundary` errors, see `evaluation.effect`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from churn_spark.arrays import Bools, Floats, Ints
from churn_spark.evaluation.effect import Bounds, boundary


@dataclass(frozen=True)
class Drawn:
    """Users who were drawn to be listed or withheld, and what came of them.

    Attributes:
        is_control: who was withheld, shape (n,).
        cancels: who cancels in the window, shape (n,).
        risk: of cancelling, as served before the draw, shape (n,).
        control_share: chance with which each was to be withheld.
    """

    is_control: Bools
    cancels: Bools
    risk: Floats
    control_share: float

    def __len__(self) -> int:
        """How many there are."""
        return len(self.risk)

    def of(self, chosen: Bools) -> Drawn:
        """Some of them."""
        return Drawn(
            self.is_control[chosen], self.cancels[chosen], self.risk[chosen], self.control_share
        )

    @property
    def saved(self) -> Floats:
        """The transformed outcome of each, shape (n,)."""
        beyond = self.cancels - self.risk
        share = self.control_share
        return np.where(self.is_control, beyond / share, -beyond / (1.0 - share))


@dataclass(frozen=True)
class Qini:
    """A Qini, or the difference of two.

    Attributes:
        value: cancels saved per user, the mean over all lengths of a list, beyond chance.
        error: standard error; NaN of fewer than two users.
        n: users.
    """

    value: float
    error: float
    n: int

    @property
    def always(self) -> Bounds:
        """95 % interval for all looks together; infinite where nothing can be told."""
        if not self.error > 0:
            return Bounds()
        reach = boundary(self.n) * self.error
        return Bounds(self.value - reach, self.value + reach)


def measure_qini(saved: Floats, scores: Floats, folds: Ints) -> Qini:
    """The Qini of an order.

    Args:
        saved: transformed outcome of each user, shape (n,).
        scores: the highest come first; equal ones share their ranks, shape (n,).
        folds: ranks are those within a user's fold, as scores of different models differ, (n,).
    """
    return _mean_of(_terms(saved, scores, folds))


def compare_qinis(saved: Floats, first: Floats, second: Floats, folds: Ints) -> Qini:
    """The Qini of one order less that of another, on the same users.

    Args:
        saved: transformed outcome of each user, shape (n,).
        first: scores of the one, shape (n,).
        second: scores of the other, shape (n,).
        folds: as in `measure_qini`.
    """
    return _mean_of(_terms(saved, first, folds) - _terms(saved, second, folds))


def _terms(saved: Floats, scores: Floats, folds: Ints) -> Floats:
    """Terms whose mean is the Qini and whose spread is its error, shape (n,)."""
    terms = np.empty(len(saved))
    for fold in np.unique(folds):
        chosen = folds == fold
        terms[chosen] = _terms_of_fold(saved[chosen], scores[chosen])
    return terms


def _terms_of_fold(saved: Floats, scores: Floats) -> Floats:
    n = len(scores)
    # Of n users, those after this one and half of this one and of those of the same score.
    weights = (rankdata(scores) - 0.5) / n - 0.5
    # What a user changes by standing before others: what all who come no later save.
    order = np.argsort(-scores, kind="stable")
    before = np.empty(n)
    before[order] = np.cumsum(saved[order]) / n
    _, group = np.unique(scores, return_inverse=True)
    shared = np.bincount(group, before) / np.bincount(group)
    projected = shared[group]
    terms: Floats = saved * weights + projected - projected.mean()
    return terms


def _mean_of(terms: Floats) -> Qini:
    n = len(terms)
    error = float(np.std(terms, ddof=1)) / math.sqrt(n) if n > 1 else math.nan
    return Qini(float(terms.mean()) if n else math.nan, error, n)
