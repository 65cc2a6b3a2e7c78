"""Well-known distances between the current values and the reference, from counts per bin.

The same counts that give the exact Kolmogorov-Smirnov test (`ks.py`) give these without another
pass over the rows. None of them decides anything: they are shown beside D.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.spatial.distance import jensenshannon

from churn_spark.monitoring.drift.ks import ReferenceSample

N_TENTHS = 10
# Cochran (1954): below this expected count the chi-square approximation is poor.
_MIN_EXPECTED = 5.0


@dataclass(frozen=True)
class Distances:
    """Distances of one feature; NaN where a side has no value.

    Attributes:
        psi: population stability index over the bins, in nats.
        psi_corrected: less what chance alone gives; around 0 without drift, also below it.
        jensen_shannon: distance over the bins, base 2, in [0, 1].
        wasserstein: of the values, in the feature's unit; NaN if a side has an infinite one.
        n_tenths: bins; fewer than 10 where values tie.
    """

    psi: float
    psi_corrected: float
    jensen_shannon: float
    wasserstein: float
    n_tenths: int


@dataclass(frozen=True)
class RateChange:
    """A share of rows, now against the reference; NaN where a side has no row.

    Attributes:
        reference: share in the reference.
        current: share now.
        difference: current minus reference.
        p_value: two-sided, that the two shares are one.
    """

    reference: float
    current: float
    difference: float
    p_value: float


@dataclass(frozen=True)
class CategoryComparison:
    """The counts of a category's values, now against the reference.

    Attributes:
        chi_square: statistic; rare values are counted as one.
        p_value: of it; 1 where there is only one value.
        total_variation: largest difference in probability of any set of values, in [0, 1].
        lower_bound: lower 95 % confidence bound of it, at least 0.
        n_baseline: rows counted in the reference.
        n_current: rows counted now.
    """

    chi_square: float
    p_value: float
    total_variation: float
    lower_bound: float
    n_baseline: int
    n_current: int


def measure_distances(
    reference: ReferenceSample, bins: NDArray[np.int64], moved: float | None = None
) -> Distances:
    """All distances between the reference and the counted current values.

    Args:
        reference: the reference sample, n values.
        bins: current values per bin of `ks.locate_bins`, shape (2K+1,).
        moved: their `wasserstein` where the values are better known than by these bins.
    """
    n, m = reference.n, int(bins.sum())
    if n == 0 or m == 0:
        return Distances(math.nan, math.nan, math.nan, math.nan, 0)
    expected, found = count_in_tenths(reference, bins)
    psi = population_stability_index(expected, found)
    # Both sides' bins are noisy: the mean of PSI without any drift (a chi-square's degrees).
    by_chance = (len(expected) - 1) * (1 / n + 1 / m)
    return Distances(
        psi=psi,
        psi_corrected=psi - by_chance,
        jensen_shannon=float(jensenshannon(expected, found, base=2)),
        wasserstein=(
            wasserstein(reference.places, reference.bins, bins) if moved is None else moved
        ),
        n_tenths=len(expected),
    )


def count_in_tenths(
    reference: ReferenceSample, bins: NDArray[np.int64], n_tenths: int = N_TENTHS
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Reference and current counts between the quantiles of the reference, each bin `(low, high]`.

    The outer bins have no end. No bin is empty in the reference: a value that fills several
    quantiles makes one bin of them.
    """
    upto = np.cumsum(reference.counts)
    wanted = np.arange(1, n_tenths) * reference.n / n_tenths
    # The last edge of the reference closes no bin: beyond it there is only the outer one.
    ends = np.unique(np.searchsorted(upto, wanted))
    ends = ends[ends < reference.edges.size - 1]
    # Bins 2i and 2i+1 are (b_i-1, b_i) and {b_i}: up to b_i are all bins up to 2i+1.
    seen = np.cumsum(bins)
    expected = np.diff(np.concatenate([[0], upto[ends], [reference.n]]))
    current = np.diff(np.concatenate([[0], seen[2 * ends + 1], seen[-1:]]))
    return expected.astype(np.int64), current.astype(np.int64)


def population_stability_index(expected: NDArray[Any], found: NDArray[Any]) -> float:
    """PSI of two vectors of counts; an empty bin counts as half a row, so that it is finite."""
    p = np.maximum(expected, 0.5) / np.maximum(expected, 0.5).sum()
    q = np.maximum(found, 0.5) / np.maximum(found, 0.5).sum()
    return float(((p - q) * np.log(p / q)).sum())


def compare_rates(n_hits: tuple[int, int], n_rows: tuple[int, int]) -> RateChange:
    """Whether a share has changed: of nulls, of zeros, of anything that is counted.

    Fisher's exact test where an expected count is below 5, else the two-proportion z test.

    Args:
        n_hits: rows that have it, reference and current.
        n_rows: all rows, reference and current.

    Raises:
        ValueError: if there are more hits than rows, or a count is negative.
    """
    if any(not 0 <= hits <= rows for hits, rows in zip(n_hits, n_rows, strict=True)):
        raise ValueError(f"found {n_hits} hits in {n_rows} rows, expected at most as many")
    if 0 in n_rows:
        before, now = (h / r if r else math.nan for h, r in zip(n_hits, n_rows, strict=True))
        return RateChange(before, now, math.nan, math.nan)
    before, now = n_hits[0] / n_rows[0], n_hits[1] / n_rows[1]
    pooled = sum(n_hits) / sum(n_rows)
    table = np.array([n_hits, np.subtract(n_rows, n_hits)])
    if min(n_rows) * min(pooled, 1 - pooled) < _MIN_EXPECTED:
        p_value = float(stats.fisher_exact(table)[1])
    else:
        error = math.sqrt(pooled * (1 - pooled) * (1 / n_rows[0] + 1 / n_rows[1]))
        p_value = float(2 * stats.norm.sf(abs(now - before) / error))
    return RateChange(before, now, now - before, p_value)


def count_zeros(reference: ReferenceSample, bins: NDArray[np.int64]) -> tuple[int, int] | None:
    """Zeros in the reference and now; None where the reference has none: no bin is for 0 then."""
    place = int(np.searchsorted(reference.edges, 0.0))
    if place == reference.edges.size or reference.edges[place] != 0.0:
        return None
    return int(reference.counts[place]), int(bins[2 * place + 1])


def compare_categories(
    reference: Mapping[str, int], current: Mapping[str, int]
) -> CategoryComparison:
    """The test and the distance of two sets of counted values; NaN where a side has no row."""
    names = sorted(
        name for name in {*reference, *current} if reference.get(name, 0) + current.get(name, 0)
    )
    table = np.array([[side.get(name, 0) for name in names] for side in (reference, current)])
    n, m = (int(total) for total in table.sum(axis=1))
    if n == 0 or m == 0:
        nan = math.nan
        return CategoryComparison(nan, nan, nan, nan, n, m)
    variation = float(np.abs(table[0] / n - table[1] / m).sum() / 2)
    lower_bound = max(0.0, variation - _variation_by_chance(table))
    pooled = _pool_rare(table)
    if pooled.shape[1] < 2:
        return CategoryComparison(0.0, 1.0, variation, lower_bound, n, m)
    test = stats.chi2_contingency(pooled, correction=False)
    return CategoryComparison(
        float(test.statistic), float(test.pvalue), variation, lower_bound, n, m
    )


def _variation_by_chance(table: NDArray[Any]) -> float:
    """Upper 95 % bound of what sampling alone adds to the total variation of two samples.

    Its mean lies above by no more than the mean size of the errors of all shares (Jensen); one
    row moves it by 1/n or 1/m, so it stays close to its mean (McDiarmid 1989).
    """
    rows = table.sum(axis=1, keepdims=True)
    shares = table / rows
    noise = float(np.sqrt((shares * (1 - shares) / rows).sum(axis=0)).sum() / 2)
    return noise + math.sqrt(-math.log(0.05) / 2 * float((1 / rows).sum()))


def _pool_rare(table: NDArray[Any]) -> NDArray[Any]:
    """The table with all values of a small expected count in one column."""
    is_rare = table.sum(axis=0) * table.sum(axis=1).min() / table.sum() < _MIN_EXPECTED
    rare = table[:, is_rare].sum(axis=1, keepdims=True)
    return np.hstack([table[:, ~is_rare], rare]) if rare.any() else table[:, ~is_rare]


def wasserstein(
    places: NDArray[np.float64], before: NDArray[np.int64], now: NDArray[np.int64]
) -> float:
    """W1 of two samples counted in the same bins; NaN if one is empty or has an infinite value.

    Off by at most half the width of the bins that hold values, times their share.

    Args:
        places: a value in each bin, ascending.
        before: rows in each bin.
        now: the same of the other sample.
    """
    filled = (before > 0) | (now > 0)
    values = places[filled]
    if not np.all(np.isfinite(values)) or not before.any() or not now.any():
        return math.nan
    # The places ascend, so the area between the two distribution functions needs no sorting.
    upto = [np.cumsum(counts[filled]) / counts.sum() for counts in (before, now)]
    return float(np.abs(upto[0] - upto[1])[:-1] @ np.diff(values))
