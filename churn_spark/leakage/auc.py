"""How well one column ranks the labels, and how well it may by chance."""

from __future__ import annotations

import math

import numpy as np
from scipy.stats import rankdata

from churn_spark.arrays import Bools, Floats, Values


def auc_within(values: Floats, is_positive: Bools, strata: Values) -> float:
    """Chance that a positive ranks above a negative of the same stratum, ties counting half.

    Rows with NaN are left out. Comparing within dates only keeps a column that merely tells the
    dates apart from looking like a forecast.

    Returns:
        0 to 1; 0.5 where no stratum has both classes.
    """
    wins = pairs = 0.0
    known = ~np.isnan(values)
    for stratum in np.unique(strata[known]):
        chosen = known & (strata == stratum)
        positive = is_positive[chosen]
        n_positive = int(positive.sum())
        n_pairs = n_positive * (len(positive) - n_positive)
        if n_pairs:
            ranks = rankdata(values[chosen])
            wins += float(ranks[positive].sum()) - n_positive * (n_positive + 1) / 2
            pairs += n_pairs
    return wins / pairs if pairs else 0.5


def auc_limit(cap: float, n_positive: int, n_negative: int, z: float) -> float:
    """The AUC above which a column has a true AUC above `cap`, all but certainly.

    The standard error is taken at the cap, not at the value found: a perfect separation of two
    cancellations has an estimated error of 0 and can still be chance.

    Source: Hanley and McNeil, "The meaning and use of the area under a ROC curve", 1982.

    Args:
        cap: the largest true AUC that is believed, from 0.5 up to 1.
        n_positive: users who cancel; at least 1.
        n_negative: users who stay; at least 1.
        z: standard errors.
    """
    q1, q2 = cap / (2 - cap), 2 * cap**2 / (1 + cap)
    variance = (
        cap * (1 - cap) + (n_positive - 1) * (q1 - cap**2) + (n_negative - 1) * (q2 - cap**2)
    ) / (n_positive * n_negative)
    return cap + z * math.sqrt(variance)


def count_users(users: Values, is_positive: Bools) -> tuple[int, int]:
    """Distinct users with a positive row, and the others; each at least 1.

    A user's rows on neighbouring dates are nearly the same row: they are no further evidence.
    """
    n_positive = len(np.unique(users[is_positive]))
    n_users = len(np.unique(users))
    return max(n_positive, 1), max(n_users - n_positive, 1)
