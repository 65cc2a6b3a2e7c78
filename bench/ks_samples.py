"""Pairs of samples that are hard on a two-sample test, and what two tests say of them."""

from __future__ import annotations

import math
import warnings
from typing import Any, Final

import numpy as np
from hypothesis import strategies as st
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from churn_spark.monitoring.drift.ks import (
    MISSING_BIN,
    KsComparison,
    ReferenceSample,
    build_reference,
    compare,
    locate_bins,
)

# A few values that collide often, and any float at all: ties, infinities, NaN and -0.0.
_TIED: Final = st.sampled_from([-math.inf, -1.5, -0.0, 0.0, 1.0, 2.0, math.inf, math.nan])
SAMPLES: Final = st.one_of(
    st.lists(_TIED, min_size=1, max_size=60),
    st.lists(st.floats(), min_size=1, max_size=60),
    st.lists(st.integers(-20, 20).map(float), min_size=1, max_size=211),
)


def count_bins(reference: ReferenceSample, values: ArrayLike) -> NDArray[np.int64]:
    """How many of the values lie in each bin, shape (2K+1,); missing ones are left out."""
    bins = locate_bins(reference.edges, values)
    n_bins = 2 * reference.edges.size + 1
    return np.bincount(bins[bins != MISSING_BIN], minlength=n_bins).astype(np.int64)


def count_missing(values: ArrayLike) -> int:
    """How many of the values are null or NaN."""
    return int(np.count_nonzero(np.isnan(np.asarray(values, dtype=np.float64))))


def compare_samples(reference: NDArray[np.float64], current: NDArray[np.float64]) -> KsComparison:
    """Ours, from the cells of the reference."""
    baseline = build_reference(reference)
    return compare(baseline, count_bins(baseline, current), count_missing(current))


def compare_by_scipy(reference: NDArray[np.float64], current: NDArray[np.float64]) -> Any:
    """Scipy's, without missing values; None where a sample has no other."""
    first, second = reference[~np.isnan(reference)], current[~np.isnan(current)]
    if not first.size or not second.size:
        return None
    with warnings.catch_warnings():
        # Where the exact p-value overflows, scipy says that it takes the asymptotic one.
        warnings.simplefilter("ignore", RuntimeWarning)
        return stats.ks_2samp(first, second)
