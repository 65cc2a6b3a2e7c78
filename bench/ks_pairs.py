"""The two-sample test beside scipy's: D and p of hard pairs of samples, and of large ones."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from hypothesis import HealthCheck, given, settings
from rich.console import Console
from scipy import stats

from bench.ks_samples import SAMPLES, compare_by_scipy, compare_samples
from bench.promises import holds
from churn_spark.arrays import Floats
from churn_spark.monitoring.drift.ks import KsComparison
from churn_spark.monitoring.drift.p_values import MAX_EXACT_PAIRS

N_PAIRS: Final = 2000
N_LARGE: Final = 200
_SHORT: Final = (60, 2000)
"""Rows of the smaller sample of a large pair: from, and below."""
_MOST_APART: Final = 0.0125
_TELLING: Final = (0.0005, 0.1)
_MOST_OF_ITSELF: Final = 0.07
"""What `p_values.two_sided_p` says of p beyond `MAX_EXACT_PAIRS`."""


@dataclass
class Tally:
    """What pairs have shown; a figure that isn't finite, or isn't there, makes a pair wrong.

    Attributes:
        n_pairs: compared.
        n_wrong: pairs that were not judged though scipy says something, or the other way round, or
            of which D or p is no number.
        d: by how much D is apart at most.
        p: by how much p is apart at most.
        p_of_itself: the same, as a share of scipy's p; of large pairs where it is telling.
    """

    n_pairs: int = 0
    n_wrong: int = 0
    d: float = 0.0
    p: float = 0.0
    p_of_itself: float = 0.0

    def add(
        self, found: KsComparison, expected: Any, telling: tuple[float, float] = (0.0, 1.0)
    ) -> None:
        """Count a pair; scipy says nothing (None) where a sample has no value."""
        if expected is None:
            self.n_wrong += found.status != "skipped"
            return
        self.n_pairs += 1
        values = found.statistic, found.p_value, expected.statistic, expected.pvalue
        if found.status != "ok" or not all(map(math.isfinite, values)):
            self.n_wrong += 1
            return
        apart = abs(found.p_value - expected.pvalue)
        self.d = max(self.d, abs(found.statistic - expected.statistic))
        self.p = max(self.p, apart)
        if apart and telling[0] <= expected.pvalue <= telling[1]:
            share = apart / expected.pvalue if expected.pvalue else math.inf
            self.p_of_itself = max(self.p_of_itself, share)


def compare_hard_pairs(n_pairs: int) -> Tally:
    """Samples with ties, infinities, missing values, prime sizes."""
    tally = Tally()

    @settings(max_examples=n_pairs, deadline=None, database=None, suppress_health_check=HealthCheck)
    @given(SAMPLES, SAMPLES)
    def check(first: list[float], second: list[float]) -> None:
        reference, current = np.array(first), np.array(second)
        tally.add(compare_samples(reference, current), compare_by_scipy(reference, current))

    check()
    return tally


def compare_large_pairs(n_pairs: int, seed: int) -> Tally:
    """Samples of which the product takes no exact p, beside scipy's exact one."""
    tally = Tally()
    for reference, current in _draw_large(n_pairs, np.random.default_rng(seed)):
        with warnings.catch_warnings():
            # Else scipy goes over to an asymptotic p where the exact one doesn't succeed.
            warnings.simplefilter("error", RuntimeWarning)
            expected = stats.ks_2samp(reference, current, method="exact")
        tally.add(compare_samples(reference, current), expected, _TELLING)
    return tally


def _draw_large(n_pairs: int, rng: np.random.Generator) -> Iterator[tuple[Floats, Floats]]:
    """Normal samples, the one up to four standard errors further up, in either order."""
    for _ in range(n_pairs):
        short = int(rng.integers(*_SHORT))
        long = MAX_EXACT_PAIRS // short + int(rng.integers(1, 3000))
        # p is furthest from the exact one where both are of one size.
        same = int(rng.integers(math.isqrt(MAX_EXACT_PAIRS) + 1, 3000))
        sizes = rng.permutation([(short, long), (long, short), (same, same)])[0]
        shift = rng.uniform(0.0, 4.0) * math.sqrt(sum(1 / sizes))
        yield rng.normal(size=sizes[0]), rng.normal(size=sizes[1]) + shift


def say_pairs(console: Console, seed: int, n_hard: int = N_PAIRS, n_large: int = N_LARGE) -> None:
    """Print how far D and p are from scipy's."""
    hard, large = compare_hard_pairs(n_hard), compare_large_pairs(n_large, seed)
    console.print(
        f"{hard.n_pairs:,} pairs beside scipy: judged wherever scipy says something, and by "
        f"numbers: {holds(hard.n_pairs > 0 and not hard.n_wrong)}; D apart by at most "
        f"{hard.d:.1e} (1e-12: {holds(hard.d <= 1e-12)}), p, up to {MAX_EXACT_PAIRS:,} pairs of "
        f"rows scipy's own exact one, by {hard.p_of_itself:.1e} of itself (1e-9: "
        f"{holds(hard.p_of_itself <= 1e-9)})"
    )
    console.print(
        f"{large.n_pairs:,} larger pairs, seed {seed}, beside scipy's exact p: judged by numbers: "
        f"{holds(large.n_pairs > 0 and not large.n_wrong)}; D apart by at most {large.d:.1e} "
        f"(1e-12: {holds(large.d <= 1e-12)}), p by {large.p:.4f} ({_MOST_APART}: "
        f"{holds(large.p <= _MOST_APART)}), from {_TELLING[0]} to {_TELLING[1]} by "
        f"{large.p_of_itself:.1%} of itself ({_MOST_OF_ITSELF:.0%}: "
        f"{holds(large.p_of_itself <= _MOST_OF_ITSELF)})"
    )
