"""Years of nights without their users: how many of them have a value up to each quantile.

A feature is normal with standard deviation 1. Of a night's users the share up to each quantile of
the training rows is drawn as the sum that a sample of so many gives (a Brownian bridge): every
night's from rows of its own. Any two nights then have their Kolmogorov-Smirnov distance, exact but
for what lies between two quantiles. Calm features mostly repeat the night before: its users are
still there, and what they have done in their whole life has hardly changed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from churn_spark.arrays import Values

N_USERS = 22_000
N_FEATURES = 30
N_GRID = 128
WANDER_SD, WANDER_NIGHTS = 0.025, 14
NEWCOMERS_SD, NEWCOMER_WEEKS = 0.25, 4
REPEATED: Final = 0.95
"""How much of a calm feature's sample is that of the night before; of a week before, 0.7."""

Shares = NDArray[np.float32]
"""Of the users up to each quantile, less 0: the last axis has the quantiles."""


@dataclass(frozen=True)
class World:
    """Nights of a population.

    Attributes:
        means: of each feature, in SD, shape (nights, features); those of the training rows are 0.
        n_users: of each night, shape (nights,).
        n_calm: how many of the features, the last ones, are calm.
    """

    means: Values
    n_users: Values
    n_calm: int = 0


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


def only_wander(rng: np.random.Generator, n_nights: int, sd: float) -> World:
    """A population of one size that wanders."""
    return World(wander(rng, n_nights, sd), np.full(n_nights, N_USERS))


def wander_in_half(rng: np.random.Generator, n_nights: int, sd: float) -> World:
    """One of which half of the features wander, and the others are calm."""
    n_calm = N_FEATURES // 2
    means = wander(rng, n_nights, sd)
    means[:, N_FEATURES - n_calm :] = 0.0
    return World(means, np.full(n_nights, N_USERS), n_calm)


def swing_weekly(rng: np.random.Generator, n_nights: int, amplitude: float) -> World:
    """One that also swings with the week, each feature with its own best day.

    The training rows are of one weekday, as those of the product are.
    """
    best = rng.uniform(0, 7, N_FEATURES)
    days = np.arange(n_nights)[:, None]
    swing, trained = (np.sin(2 * np.pi * (day + best) / 7) for day in (days, 0))
    means = wander(rng, n_nights, WANDER_SD) + amplitude * (swing - trained)
    return World(means, np.full(n_nights, N_USERS))


def grow_weekly(rng: np.random.Generator, n_nights: int, rate: float) -> World:
    """One that grows from the day of the training on; newcomers differ for their first weeks."""
    weeks = np.arange(n_nights) / 7
    share = 1 - (1 + rate) ** -np.minimum(weeks, NEWCOMER_WEEKS)
    differ = NEWCOMERS_SD * rng.choice([-1, 1], N_FEATURES)
    means = wander(rng, n_nights, WANDER_SD) + share[:, None] * differ
    return World(means, (N_USERS * (1 + rate) ** weeks).astype(np.int64))


def drift_slowly(
    rng: np.random.Generator, n_nights: int, sd_a_week: float, n_drifting: int
) -> World:
    """One in which some features move on and on."""
    means = wander(rng, n_nights, WANDER_SD)
    means[:, :n_drifting] += sd_a_week / 7 * np.arange(n_nights)[:, None]
    return World(means, np.full(n_nights, N_USERS))


def draw_shares(rng: np.random.Generator, world: World, n_grid: int = N_GRID) -> Shares:
    """The shares of every night and feature, shape (nights, features, quantiles)."""
    noise = _bridge(rng, world.means.shape, n_grid)
    calm = noise[:, noise.shape[1] - world.n_calm :]
    for night in range(1, len(calm)):
        calm[night] = REPEATED * calm[night - 1] + math.sqrt(1 - REPEATED**2) * calm[night]
    noise /= np.sqrt(world.n_users)[:, None, None]
    return np.asarray(expected_shares(world.means, n_grid) + noise, dtype=np.float32)


def draw_baseline(rng: np.random.Generator, n_rows: int = N_USERS, n_grid: int = N_GRID) -> Shares:
    """The shares of the training rows, shape (features, quantiles)."""
    rows = World(np.zeros((1, N_FEATURES)), np.array([n_rows]))
    return np.asarray(draw_shares(rng, rows, n_grid)[0])


def expected_shares(means: Values, n_grid: int = N_GRID) -> Shares:
    """The shares of a population of any size, the shape of the means and one axis more."""
    quantiles = ndtri(np.arange(1, n_grid) / n_grid)
    return np.asarray(ndtr(quantiles - np.asarray(means)[..., None]), dtype=np.float32)


def distance(first: Shares, second: Shares) -> Values:
    """D of two sets of shares, over the last axis."""
    return np.asarray(np.abs(first - second).max(axis=-1), dtype=np.float64)


def _bridge(rng: np.random.Generator, shape: tuple[int, ...], n_grid: int) -> Shares:
    """What a sample's shares are off, times the root of its rows."""
    steps = rng.standard_normal((*shape, n_grid), dtype=np.float32) / np.float32(n_grid**0.5)
    walk = np.cumsum(steps, axis=-1)
    upto = (np.arange(1, n_grid + 1) / n_grid).astype(np.float32)
    return np.asarray((walk - upto * walk[..., -1:])[..., :-1])
