"""The benchmark's shortcut draws the distances that fully drawn values have."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from bench.drift_years import draw_distances, wander

# From 10,001 rows on the p-value beside D is asymptotic, and so takes no time.
N = 10_500


def fully_drawn(rng: np.random.Generator, mean: float) -> float:
    return float(stats.ks_2samp(rng.normal(size=N), rng.normal(mean, 1, size=N)).statistic)


@pytest.mark.parametrize("mean", [0.0, 0.03])
def test_distances_are_distributed_as_those_of_values(mean: float) -> None:
    rng = np.random.default_rng(1)
    # A threshold between any two values: all are drawn exactly.
    dense = np.linspace(0, 0.2, 2001)
    found = [draw_distances(rng, np.array([mean]), dense, N, 16)[0] for _ in range(120)]
    expected = [fully_drawn(rng, mean) for _ in range(120)]
    assert stats.ks_2samp(found, expected).pvalue > 0.001


def test_share_beyond_a_threshold_is_right_when_only_it_is_looked_at() -> None:
    rng = np.random.default_rng(2)
    found = [draw_distances(rng, np.array([0.03]), [0.02], N, 64)[0] for _ in range(200)]
    expected = [fully_drawn(rng, 0.03) for _ in range(200)]
    beyond = [np.mean(np.array(values) >= 0.02) for values in (found, expected)]
    assert 0.1 < beyond[1] < 0.9
    assert abs(beyond[0] - beyond[1]) < 4 * np.sqrt(0.5 / 200)


def test_wander_has_its_size_on_every_night_and_forgets() -> None:
    means = wander(np.random.default_rng(3), 60, 0.025, 20_000)
    np.testing.assert_allclose(means.std(axis=1), 0.025, rtol=0.03)
    assert np.corrcoef(means[0], means[14])[0, 1] == pytest.approx(np.exp(-1), abs=0.03)
