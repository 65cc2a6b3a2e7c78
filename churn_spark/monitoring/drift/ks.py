"""The exact two-sample Kolmogorov-Smirnov test from counts that add up.

The reference sample is fixed, so its distribution function is flat between its sorted distinct
values b_1..b_K. The largest gap to any other sample is therefore reached at some b_i or just
left of it, and needs only the counts of current values in 2K+1 bins:

    0: (-inf, b_1)   1: {b_1}   2: (b_1, b_2)   3: {b_2}   ...   2K: (b_K, inf)

Counts of parts sum to the counts of the whole, so partitions and nights can be counted apart.
Null and NaN are missing: they are counted, never compared. Infinities are values; -0.0 is 0.0.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from churn_spark.monitoring.drift.p_values import two_sided_p

MISSING_BIN = -1

SparseCounts = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Distinct bins, ascending, and the rows in each."""

# Gaps are at most n*m; below this they fit in int64 (2**63 is 9.223e18).
_MAX_INT64_PRODUCT = 9_200_000_000_000_000_000
# 95 % quantile of the Kolmogorov distribution: the half-width of a 95 % band on D.
KOLMOGOROV_95 = 1.358


@dataclass(frozen=True, eq=False)
class ReferenceSample:
    """A reference sample, reduced to its distinct values.

    Attributes:
        edges: sorted distinct values, float64, shape (K,).
        counts: rows per value, int64, shape (K,).
        n: rows that have a value; the sum of `counts`.
        n_missing: rows that are null or NaN.
    """

    edges: NDArray[np.float64]
    counts: NDArray[np.int64]
    n: int
    n_missing: int

    @cached_property
    def bins(self) -> NDArray[np.int64]:
        """Its own rows per bin, int64, shape (2K+1,): each value is a bin, nothing is between."""
        bins = np.zeros(2 * self.edges.size + 1, dtype=np.int64)
        bins[1::2] = self.counts
        return bins

    @cached_property
    def places(self) -> NDArray[np.float64]:
        """One value inside each of its bins, as of `place_bins`."""
        return place_bins(self.edges)


@dataclass(frozen=True)
class KsComparison:
    """A current sample against a reference; every float is NaN where `status` is 'skipped'.

    Attributes:
        status: 'skipped' if either sample has no value, else 'ok'.
        n_baseline: reference rows that have a value.
        n_current: current rows that have a value.
        statistic: D, the largest gap between the two distribution functions, in [0, 1].
        p_value: two-sided, as of `p_values.two_sided_p`.
        lower_bound: lower 95 % confidence bound of D, at least 0.
        location: reference value at which, or just left of which, the gap is largest; the
            smallest such value; NaN if D is 0.
        direction: of the current values at `location`, against the reference.
        missing_rate_baseline: missing over all reference rows; NaN only if there are none.
        missing_rate_current: missing over all current rows; NaN only if there are none.
    """

    status: Literal["ok", "skipped"]
    n_baseline: int
    n_current: int
    statistic: float
    p_value: float
    lower_bound: float
    location: float
    direction: Literal["higher", "lower", "none"]
    missing_rate_baseline: float
    missing_rate_current: float


def build_reference(values: ArrayLike) -> ReferenceSample:
    """Reduce a one-dimensional sample to its distinct values and their counts.

    Raises:
        ValueError: if `values` has another number of dimensions or isn't numeric.
    """
    sample = _as_sample(values)
    present = sample[~np.isnan(sample)]
    # Adding 0.0 turns -0.0 into 0.0, so the stored edge doesn't depend on row order.
    edges, counts = np.unique(present + 0.0, return_counts=True)
    return ReferenceSample(edges, counts.astype(np.int64), present.size, sample.size - present.size)


def locate_bins(edges: NDArray[np.float64], values: ArrayLike) -> NDArray[np.int64]:
    """Return the bin of every value in ascending order of value, then -1 per missing one.

    Args:
        edges: sorted distinct reference values, shape (K,).
        values: shape (n,), in any order.

    Returns:
        Shape (n,), each in [-1, 2K].

    Raises:
        ValueError: if `values` isn't one-dimensional or isn't numeric.
    """
    # Sorted needles keep the binary search in the processor's cache: 3 times faster.
    ordered = np.sort(_as_sample(values))
    present = ordered[: ordered.size - np.count_nonzero(np.isnan(ordered))]
    bins = np.full(ordered.size, MISSING_BIN, dtype=np.int64)
    n_below = np.searchsorted(edges, present, side="left")
    bins[: present.size] = 2 * n_below
    inside = np.flatnonzero(n_below < edges.size)
    bins[inside] += edges[n_below[inside]] == present[inside]
    return bins


def place_bins(edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """One value inside each bin, ascending, shape (2K+1,).

    The reference's values stand for themselves, the middle for what is between two, and the
    nearest float beyond for what is outside.
    """
    if not edges.size:
        return np.zeros(1)
    lower, upper = edges[:-1], edges[1:]
    places = np.empty(2 * edges.size + 1)
    places[1::2] = edges
    # Next to the largest float comes infinity, and that is meant.
    with np.errstate(over="ignore", invalid="ignore"):
        middle = lower / 2 + upper / 2
        # Next to an infinity there is no middle.
        middle = np.where(np.isposinf(upper), np.nextafter(lower, np.inf), middle)
        middle = np.where(np.isneginf(lower), np.nextafter(upper, -np.inf), middle)
        middle[np.isneginf(lower) & np.isposinf(upper)] = 0.0
        places[0] = np.nextafter(edges[0], -np.inf)
        places[-1] = np.nextafter(edges[-1], np.inf)
    places[2:-1:2] = middle
    return places


def collect_bins(
    reference: ReferenceSample, numbers: ArrayLike, n: ArrayLike
) -> tuple[NDArray[np.int64], int]:
    """Turn the (bin number, n) rows of one feature into `compare`'s vector and missing count.

    There are at most 2K+2 rows per feature and night; with the reference capped at 100,000 rows
    that is 200,002, whatever the number of users. A bin may occur twice (two nights): its
    counts add up.

    Returns:
        The counts, shape (2K+1,), and the number of missing values.

    Raises:
        ValueError: if a bin is outside [-1, 2K], or the columns differ in length.
    """
    bins, counts = np.asarray(numbers, dtype=np.int64), np.asarray(n, dtype=np.int64)
    if bins.shape != counts.shape or bins.ndim != 1:
        raise ValueError(f"bin numbers and n have shapes {bins.shape} and {counts.shape}")
    require_bins(reference, bins)
    dense = np.zeros(2 * reference.edges.size + 2, dtype=np.int64)
    np.add.at(dense, bins + 1, counts)
    return dense[1:], int(dense[0])


def require_bins(reference: ReferenceSample, bins: NDArray[np.int64]) -> None:
    """Raise where a bin isn't one of the reference.

    Raises:
        ValueError: if a bin is outside [-1, 2K].
    """
    last = 2 * reference.edges.size
    if bins.size and (bins.min() < MISSING_BIN or bins.max() > last):
        raise ValueError(
            f"found bins {bins.min()}..{bins.max()}, expected -1..{last}: "
            "were they counted against another reference?"
        )


def sum_sparse(
    bins: Iterable[NDArray[np.int64]], counts: Iterable[NDArray[np.int64]]
) -> SparseCounts:
    """The distinct bins, ascending, and the sum of the counts of each."""
    every_bin = np.concatenate([np.zeros(0, np.int64), *(np.asarray(c) for c in bins)])
    every_count = np.concatenate([np.zeros(0, np.int64), *(np.asarray(n) for n in counts)])
    distinct, place = np.unique(every_bin.astype(np.int64), return_inverse=True)
    summed = np.zeros(distinct.size, dtype=np.int64)
    np.add.at(summed, place, every_count.astype(np.int64))
    return distinct, summed


def compare(reference: ReferenceSample, bins: NDArray[np.int64], n_missing: int) -> KsComparison:
    """Test whether the counted current values come from the reference's distribution.

    Args:
        reference: the reference sample, n values.
        bins: current values per bin, shape (2K+1,), m values.
        n_missing: current rows without a value.

    Raises:
        ValueError: if `bins` has another shape or a negative count.
    """
    if bins.shape != (2 * reference.edges.size + 1,) or np.any(bins < 0):
        raise ValueError(
            f"found bin counts of shape {bins.shape}, expected "
            f"({2 * reference.edges.size + 1},) and none negative"
        )
    n, m = reference.n, int(bins.sum())
    rates = _rate(reference.n_missing, n), _rate(n_missing, m)
    if n == 0 or m == 0:
        nan = math.nan
        return KsComparison("skipped", n, m, nan, nan, nan, nan, "none", *rates)

    gaps = _gaps(reference, bins, n, m)
    widest = int(np.argmax(np.abs(gaps)))
    gap = int(gaps[widest])
    # Division of Python integers is correctly rounded at any size.
    statistic = abs(gap) / (n * m)
    lower_bound = max(0.0, statistic - half_band(n, m))
    # The gap after the last bin is 0, so a widest gap has an edge at its right end.
    location = float(reference.edges[widest // 2]) if gap else math.nan
    # More reference than current mass so far: the current values lie further up.
    direction: Literal["higher", "lower", "none"]
    direction = "higher" if gap > 0 else "lower" if gap < 0 else "none"
    p_value = two_sided_p(reference.bins, bins, statistic)
    return KsComparison("ok", n, m, statistic, p_value, lower_bound, location, direction, *rates)


def half_band(n: int, m: int) -> float:
    """By how much the lower 95 % bound of D is below D, for so many values on either side."""
    return KOLMOGOROV_95 * math.sqrt((n + m) / (n * m))


def benjamini_hochberg(p_values: ArrayLike) -> NDArray[np.float64]:
    """Adjust p-values for the number of tests; NaN (a skipped test) stays NaN and isn't counted.

    Source: Benjamini and Hochberg (1995), as `scipy.stats.false_discovery_control`.

    Raises:
        ValueError: if a p-value is outside [0, 1].
    """
    adjusted = _as_sample(p_values).copy()
    tested = ~np.isnan(adjusted)
    if tested.any():
        adjusted[tested] = stats.false_discovery_control(adjusted[tested], method="bh")
    return adjusted


def _as_sample(values: ArrayLike) -> NDArray[np.float64]:
    sample = np.asarray(values, dtype=np.float64)
    if sample.ndim != 1:
        raise ValueError(f"found an array of shape {sample.shape}, expected one dimension")
    return sample


def _rate(n_missing: int, n_present: int) -> float:
    return n_missing / (n_missing + n_present) if n_missing + n_present else math.nan


def _gaps(reference: ReferenceSample, bins: NDArray[np.int64], n: int, m: int) -> NDArray[Any]:
    """Return c_b*m - c_m*n at the right end of every bin, shape (2K+1,), as exact integers."""
    c_b: NDArray[Any] = np.cumsum(reference.bins)
    c_m: NDArray[Any] = np.cumsum(bins)
    if n * m > _MAX_INT64_PRODUCT:
        c_b, c_m = c_b.astype(object), c_m.astype(object)
    return np.asarray(c_b * m - c_m * n)
