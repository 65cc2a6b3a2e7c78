"""What each feature moves the scores by, in the training rows and tonight.

A feature may move without the model noticing, and the model may lean on one more than it did
though that has hardly moved. The mean size of a feature's SHAP values says how far it moves the
scores; its change is known as attribution drift.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from churn_spark.arrays import Floats


@dataclass(frozen=True)
class Attribution:
    """The mean size of one feature's contributions to the scores, in log-odds.

    Attributes:
        baseline: of the training rows.
        current: of tonight.
        error: standard error of the difference; NaN with fewer than two rows on a side.
    """

    baseline: float
    current: float
    error: float


def compare_contributions(
    names: Sequence[str], before: Floats, now: Floats
) -> Mapping[str, Attribution]:
    """Feature -> its attribution on both sides.

    Args:
        names: of the features, in the order of the columns.
        before: contributions of the training rows, shape (rows, features).
        now: those of tonight.
    """
    (baseline, of_baseline), (current, of_current) = map(_mean_sizes, (before, now))
    errors = np.sqrt(of_baseline + of_current)
    return {
        name: Attribution(float(baseline[i]), float(current[i]), float(errors[i]))
        for i, name in enumerate(names)
    }


def _mean_sizes(contributions: Floats) -> tuple[Floats, Floats]:
    """The mean size of each column, and the variance of that mean."""
    sizes = np.abs(contributions)
    n_rows = len(sizes)
    if n_rows < 2:
        return sizes.mean(axis=0), np.full(sizes.shape[1], np.nan)
    return sizes.mean(axis=0), sizes.var(axis=0, ddof=1) / n_rows
