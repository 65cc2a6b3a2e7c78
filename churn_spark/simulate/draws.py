"""Random numbers that depend on seed, user and position only.

Each user owns a stream that is addressed by position instead of being consumed in order.
So a user's life comes out the same whoever is simulated beside it, in whatever batches.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.special import gammaln

from churn_spark.arrays import Floats, Ints

Keys = npt.NDArray[np.uint64]

_STRIDE: Final = np.uint64(0x9E3779B97F4A7C15)  # 2**64 over the golden ratio, as in SplitMix64


def _mix(words: Keys) -> Keys:
    """Finalise SplitMix64 words (Steele, Lea and Flood 2014)."""
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return words ^ (words >> np.uint64(31))


def user_keys(seed: int, stream: int, numbers: Ints) -> Keys:
    """Derive the key of each user.

    Args:
        seed: seed of the whole log, 0 to 2**63-1.
        stream: separates independent uses of the same seed (profiles, behaviour).
        numbers: user numbers, from 0, shape (users,).

    Returns:
        Keys, shape (users,).
    """
    root = _mix(_mix(np.array([seed], dtype=np.uint64)) + np.array([stream], np.uint64) * _STRIDE)
    return _mix(root + (numbers.astype(np.uint64) + np.uint64(1)) * _STRIDE)


def uniforms(keys: Keys, first: int | Ints, count: int) -> Floats:
    """Draw uniforms in [0, 1) at positions first..first+count-1 of each key's stream.

    Args:
        keys: shape (users,).
        first: one position for all, or one for each user, shape (users,).
        count: how many positions.

    Returns:
        Draws, shape (count, users).
    """
    begins = np.asarray(first, dtype=np.int64).astype(np.uint64) + np.uint64(1)
    positions = np.arange(count, dtype=np.uint64)[:, None] + begins
    words: Keys = _mix(keys[None, :] + positions * _STRIDE)
    return (words >> np.uint64(11)).astype(np.float64) * 2.0**-53


def pick(weights: Floats, draws: Floats) -> Ints:
    """Turn uniforms into indices drawn in proportion to `weights`.

    Returns:
        Indices into `weights`, of the shape of `draws`.

    Raises:
        ValueError: if `weights` is empty.
    """
    if not len(weights):
        raise ValueError("no weights to draw from")
    cumulative = np.cumsum(weights)
    found = np.searchsorted(cumulative, draws * cumulative[-1], side="right")
    indices: Ints = np.minimum(found, len(weights) - 1)
    return indices


def lognormal_mean_one(sigma: float, first: Floats, second: Floats) -> Floats:
    """Turn two rows of uniforms into lognormal factors with mean 1 (Box-Muller).

    Returns:
        Factors, of the shape of the draws.
    """
    normal = np.sqrt(-2.0 * np.log1p(-first)) * np.cos(2.0 * np.pi * second)
    factors: Floats = np.exp(sigma * normal - sigma**2 / 2.0)
    return factors


def poisson(mean: float, draws: Floats) -> Ints:
    """Turn uniforms into Poisson counts.

    Returns:
        Counts, of the shape of the draws.

    Raises:
        ValueError: if the mean is negative.
    """
    if mean < 0:
        raise ValueError(f"found a mean of {mean}, expected at least 0")
    ks = np.arange(1 + int(mean + 12.0 * np.sqrt(mean) + 12.0))
    logs = ks * np.log(mean) - gammaln(ks + 1.0) - mean if mean else np.where(ks, -np.inf, 0.0)
    return np.searchsorted(np.cumsum(np.exp(logs)), draws, side="right")
