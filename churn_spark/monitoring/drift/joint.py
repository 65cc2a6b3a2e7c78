"""Whether trees can tell tonight's users from those of training: what no feature shows by itself.

A classifier of the two sides, cross-fitted so that it scores only users whom it was not fitted
on. Its ROC AUC is 0.5 where nothing has changed, whatever the number of features, and grows with
any change that trees can see: two features that have begun to go together in another way leave
every distribution as it was, and are found here. In the literature: a classifier two-sample test
(Lopez-Paz and Oquab, "Revisiting classifier two-sample tests", 2017), or a domain classifier.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import numpy as np

from churn_spark.arrays import Floats, Ints
from churn_spark.models.cross_fit import cross_fit
from churn_spark.monitoring.performance.performance import estimate_auc

JOINT: Final = "joint"
"""The comparison of all features at once, and in the place of the feature."""

# Two folds score each other, so what they share by chance counts twice: without any difference,
# the AUC of cross-fitted scores has twice the variance that their rows alone would give it.
_WIDENING: Final = math.sqrt(2)
_ROUNDS: Final = 100
# A change of how two features go together shows in no first split: the more splits there are and
# the fewer features each chooses from, the sooner one of the two is split on, and then the other.
_TREES: Final[dict[str, Any]] = {"num_leaves": 15, "feature_fraction_bynode": 0.3}


@dataclass(frozen=True)
class Side:
    """Rows of one of two sides, one row a user.

    Attributes:
        values: encoded features, shape (rows, features); missing ones are NaN.
        folds: of each user, the same on both sides, shape (rows,).
    """

    values: Floats
    folds: Ints


@dataclass(frozen=True)
class JointDrift:
    """How well tonight's rows can be told from the reference's; NaN where `status` is 'skipped'.

    Attributes:
        status: 'skipped' where a side has too few rows, or no feature was left to look at.
        n_baseline: rows of the reference.
        n_current: rows of tonight.
        auc: chance that a row of tonight looks more like tonight than one of the reference does.
        low: lower 95 % confidence bound of it.
        high: upper one.
        shares: feature -> its share of what tells the sides apart, the largest first.
    """

    status: Literal["ok", "skipped"]
    n_baseline: int
    n_current: int
    auc: float = math.nan
    low: float = math.nan
    high: float = math.nan
    shares: Mapping[str, float] = field(default_factory=dict)


def tell_apart(reference: Side, current: Side, names: Sequence[str], min_rows: int) -> JointDrift:
    """Fit trees that tell the sides apart, and measure them on users whom they haven't seen.

    Most users are on both sides. In one fold, a user's rows are in the same fit or in the same
    test, so what is particular to somebody helps nobody. The interval takes the sides for
    independent; the same users on both make it too wide rather than too narrow.

    Args:
        reference: the training rows.
        current: tonight's.
        names: of the features, in the order of the columns.
        min_rows: a side with fewer can't tell.
    """
    n = len(reference.values), len(current.values)
    if min(n) < min_rows or not names:
        return JointDrift("skipped", *n)
    # In one order, so that the order of the features changes nothing.
    order = sorted(range(len(names)), key=lambda column: names[column])
    values = np.concatenate([reference.values, current.values])[:, order]
    folds = np.concatenate([reference.folds, current.folds])
    is_current = np.arange(sum(n)) >= n[0]
    fit = cross_fit(values, is_current, folds, [names[i] for i in order], _ROUNDS, **_TREES)
    rows = np.arange(sum(n))
    found = estimate_auc(is_current.astype(int), fit.held_out, rows, _WIDENING)
    total = sum(fit.gains.values())
    shares = {name: gain / total for name, gain in fit.gains.items() if gain > 0}
    return JointDrift("ok", *n, found.value, found.low, found.high, shares)
