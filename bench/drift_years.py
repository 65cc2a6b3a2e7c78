"""Years of Kolmogorov-Smirnov distances without years of rows: exact where it matters.

A feature is normal with standard deviation 1. Its night is first drawn as counts between 512
quantiles of the baseline: they bound D from both sides, to about .004. Only where a threshold
lies between the bounds are the values drawn, given the counts, and compared by the project's own
code. So every D is on the side of every threshold on which D of fully drawn values would be.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.special import ndtr, ndtri

from bench.ks_samples import count_bins
from churn_spark.arrays import Values
from churn_spark.monitoring.drift.ks import (
    ReferenceSample,
    benjamini_hochberg,
    build_reference,
    compare,
)
from churn_spark.monitoring.policy.evidence import DriftFact

N_USERS = 22_000
N_FEATURES = 30
N_GRID = 512
BAND = 1.358 * math.sqrt(2 / N_USERS)
WANDER_SD, WANDER_NIGHTS = 0.025, 14


def wander(
    rng: np.random.Generator, n_nights: int, sd: float, n_features: int = N_FEATURES
) -> Values:
    """Means that move harmlessly: normal with the given SD, forgotten in two weeks.

    Returns:
        Shape (nights, features); a stationary first-order autoregression.
    """
    memory = math.exp(-1 / WANDER_NIGHTS)
    means = rng.normal(0, sd, (n_nights, n_features))
    means[1:] *= math.sqrt(1 - memory**2)
    for night in range(1, n_nights):
        means[night] += memory * means[night - 1]
    return means


def draw_distances(
    rng: np.random.Generator,
    means: Values,
    thresholds: Sequence[float],
    n_users: int = N_USERS,
    n_grid: int = N_GRID,
) -> Values:
    """D of each night of one feature against one baseline of as many rows.

    Args:
        rng: source of all draws.
        means: of the feature, in SD, shape (nights,); the baseline's is 0.
        thresholds: on whose right side every D must be.
        n_users: rows of the baseline and of each night.
        n_grid: cells of the first, coarse draw.

    Returns:
        Shape (nights,); where no threshold is near, the lower bound of D.
    """
    baseline = build_reference(rng.normal(size=n_users))
    places = np.arange(1, n_grid) * n_users // n_grid - 1
    ends = np.concatenate([[-np.inf], baseline.edges[places], [np.inf]])
    chances = np.diff(ndtr(ends - means[:, None]), axis=1)
    counts = rng.multinomial(n_users, chances / chances.sum(axis=1, keepdims=True))
    before = np.concatenate([[0], places + 1, [n_users]]) / n_users
    now = np.hstack([np.zeros((len(means), 1)), np.cumsum(counts, axis=1) / n_users])
    low = np.abs(now - before).max(axis=1)
    high = np.maximum(before[1:] - now[:, :-1], now[:, 1:] - before[:-1]).max(axis=1)
    is_open = np.zeros(len(means), dtype=bool)
    for threshold in thresholds:
        is_open |= (low < threshold) & (threshold <= high)
    for night in np.flatnonzero(is_open):
        low[night] = _draw_exactly(rng, baseline, ends - means[night], counts[night], means[night])
    return np.asarray(low)


def build_facts(distances: Values) -> list[tuple[DriftFact, ...]]:
    """The night's facts of equally important features, shape (nights, features) -> per night."""
    p_values = stats.kstwobign.sf(distances * math.sqrt(N_USERS / 2))
    return [
        tuple(
            DriftFact(f"feature_{i:02}", float(d), max(0.0, float(d) - BAND), float(p), 1.0)
            for i, (d, p) in enumerate(zip(night, benjamini_hochberg(night_p), strict=True))
        )
        for night, night_p in zip(distances, p_values, strict=True)
    ]


def _draw_exactly(
    rng: np.random.Generator,
    baseline: ReferenceSample,
    ends: Values,
    counts: NDArray[np.int64],
    mean: float,
) -> float:
    """D of values that are drawn given how many of them lie between the ends."""
    share = ndtr(ends)
    cell = np.repeat(np.arange(len(counts)), counts)
    uniform = share[cell] + rng.random(cell.size) * (share[cell + 1] - share[cell])
    # Rounding in ndtri may carry a value over its end; the count says on which side it is.
    values = np.clip(ndtri(uniform), ends[cell], ends[cell + 1]) + mean
    return compare(baseline, count_bins(baseline, values), 0).statistic
