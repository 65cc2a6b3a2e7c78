"""The two-sided p-value of D, the two-sample Kolmogorov-Smirnov statistic.

Exact where the samples are small, else of the Kolmogorov distribution with a term for the size.
Counting all paths takes 32 ms for twice 10,000 rows, the distribution a microsecond; a night
makes thousands of tests.
"""

from __future__ import annotations

import math
import warnings

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

MAX_EXACT_PAIRS = 1_000_000
"""Rows of the one sample times rows of the other up to which the p-value is exact."""


def two_sided_p(first: NDArray[np.int64], second: NDArray[np.int64], statistic: float) -> float:
    """P(D >= statistic) of two samples of one continuous distribution.

    Beyond `MAX_EXACT_PAIRS` it is off the exact one by at most 0.0125 (twice 1,000 rows; 0.0073
    from twice 3,000 on), and between .0005 and .1 by at most 7 % of itself, if the smaller
    sample has 60 rows. No decision hangs on that: with 300 rows a side, a shift whose lower bound
    of D reaches 0.045 has a p-value below .0003 there, adjusted for 100 features below .03.

    Args:
        first: rows in each bin, ascending, at least one row in all.
        second: the same of the other sample, in the same bins.
        statistic: D of the two.
    """
    n, m = int(first.sum()), int(second.sum())
    if n * m <= MAX_EXACT_PAIRS:
        return _exact_p(first, second)
    size = math.sqrt(n * m / (n + m))
    scaled = size * statistic
    # Vrbik (2018), small-sample corrections to the Kolmogorov-Smirnov test statistic.
    corrected = scaled + 1 / (6 * size) + (scaled - 1) / (4 * size * size)
    return float(special.kolmogorov(corrected))


def _exact_p(first: NDArray[np.int64], second: NDArray[np.int64]) -> float:
    # The test depends on ranks only, so the bin's number can stand in for the value.
    places = np.arange(first.size)
    sample, other = np.repeat(places, first), np.repeat(places, second)
    with warnings.catch_warnings():
        # Rounding can lift an exact p of 1 above 1; scipy then warns and goes asymptotic.
        warnings.filterwarnings("ignore", message="ks_2samp: Exact calculation unsuccessful")
        return float(stats.ks_2samp(sample, other, method="exact").pvalue)
