"""The benchmark's shares have the distances of fully drawn values, and its worlds what they say."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from bench.drift_years import (
    World,
    distance,
    draw_shares,
    drift_slowly,
    expected_shares,
    grow_weekly,
    only_wander,
    swing_weekly,
    wander,
)
from bench.lived_years import NEVER, Found, find_shift, find_shifts, live
from churn_spark.config import load_config

# From 10,001 rows on the p-value beside D is asymptotic, and so takes no time.
N = 10_500
POLICY = load_config().policy


def fully_drawn(rng: np.random.Generator, mean: float) -> float:
    return float(stats.ks_2samp(rng.normal(size=N), rng.normal(mean, 1, size=N)).statistic)


@pytest.mark.parametrize("mean", [0.0, 0.03])
def test_distances_are_distributed_as_those_of_values(mean: float) -> None:
    rng = np.random.default_rng(1)
    nights = [World(np.full((1, 150), one), np.array([N])) for one in (0.0, mean)]
    before, now = (draw_shares(rng, one, 512)[0] for one in nights)
    expected = [fully_drawn(rng, mean) for _ in range(150)]
    assert stats.ks_2samp(distance(before, now), expected).pvalue > 0.001


def test_distance_of_two_populations_is_that_of_their_distributions() -> None:
    found = distance(expected_shares(np.array([0.0])), expected_shares(np.array([0.2])))
    assert found[0] == pytest.approx(2 * stats.norm.cdf(0.1) - 1, abs=1e-3)


def test_wander_has_its_size_on_every_night_and_forgets() -> None:
    means = wander(np.random.default_rng(3), 60, 0.025, 20_000)
    np.testing.assert_allclose(means.std(axis=1), 0.025, rtol=0.03)
    assert np.corrcoef(means[0], means[14])[0, 1] == pytest.approx(np.exp(-1), abs=0.03)


@pytest.mark.parametrize(
    ("make", "last", "n_users"),
    [
        (lambda rng: swing_weekly(rng, 29, 0.1), 0.0, 22_000),
        (lambda rng: grow_weekly(rng, 29, 0.03), 0.25 * (1 - 1.03**-4), 24_761),
        (lambda rng: drift_slowly(rng, 29, 0.02, 30), 0.08, 22_000),
    ],
)
def test_worlds_move_as_they_say(
    make: Callable[[np.random.Generator], World],
    last: float,
    n_users: int,
) -> None:
    """Beyond the same wander: the draws of a seed begin with it, or it is small beside them."""
    found = [make(np.random.default_rng(seed)) for seed in range(40)]
    assert found[0].n_users[-1] == n_users
    size = np.abs(np.mean([np.abs(world.means[28]) - np.abs(last) for world in found]))
    assert size < 0.025
    swings = [np.ptp(world.means[:7], axis=0).mean() for world in found]
    assert np.mean(swings) == pytest.approx(0.19 if last == 0.0 else 0.035, abs=0.03)


def test_years_calibrate_themselves_and_find_what_they_say() -> None:
    rng = np.random.default_rng(5)
    lived = live(rng, only_wander(rng, 60, 0.05), POLICY)
    assert lived.asked == []
    assert lived.states[27].calibration is None
    assert lived.states[28].calibration is not None
    # Every seven nights from the 28th on.
    assert lived.n_calibrations == 5
    found = list(find_shifts(rng, [lived], 30, None, POLICY))
    assert all(0.2 < one.size < 0.6 for one in found)
    assert np.mean([one.confirmed <= 3 for one in found]) > 0.8
    assert find_shift(lived, 40, 0, 1.0, POLICY).confirmed == 2
    assert find_shift(lived, 40, 0, 1.0, POLICY).asked <= 5
    assert find_shift(lived, 40, 0, 0.0, POLICY) == Found(0.0, NEVER, NEVER)


def test_found_drift_renews_the_training_rows_where_that_is_asked() -> None:
    rng = np.random.default_rng(6)
    world = only_wander(rng, 50, 0.025)
    world.means[40:, 3] += 0.5
    lived = live(rng, world, POLICY, renew=True)
    assert lived.asked == [41]
    assert lived.levels[41][3] == 0.0
    assert lived.levels[42][3] > 0.4
