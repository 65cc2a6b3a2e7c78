"""A mixture of Markov chains: users of a class share the chances of the next page.

Fitted by EM (Dempster, Laird and Rubin 1977; of Markov chains: Cadez et al., "Model-based
clustering and visualization of navigation patterns on a Web site", 2003). The users stay where
they are, in blocks; a step sums each block's sufficient statistics, whose size doesn't depend
on the number of users.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, Protocol, TypeVar

import numpy as np
from scipy.sparse import csr_matrix
from scipy.special import logsumexp

from churn_spark.arrays import Floats
from churn_spark.models.behaviour.cells import N_CELLS, SHAPE

Result = TypeVar("Result")

_START_NOISE: Final = 0.25


class Blocks(Protocol):
    """Users in blocks, each a sparse matrix of counts, shape (users, N_CELLS)."""

    def __call__(self, function: Callable[[csr_matrix], Result]) -> list[Result]:
        """Apply a function to every block; the results come in the blocks' order."""


@dataclass(frozen=True)
class Mixture:
    """Classes of listeners.

    Attributes:
        shares: of the classes, the largest first, shape (classes,).
        log_chances: log of the chance of the next page given level and page, shape
            (classes, N_CELLS).
        log_likelihood: of the users it was fitted to.
        aic: Akaike's criterion; of several mixtures the lowest is the best.
    """

    shares: Floats
    log_chances: Floats
    log_likelihood: float
    aic: float


@dataclass(frozen=True)
class _Sums:
    """Sufficient statistics of some users: class sizes, expected counts, log-likelihood."""

    sizes: Floats
    counts: Floats
    log_likelihood: float


@dataclass(frozen=True)
class MixtureSettings:
    """How to fit.

    Attributes:
        prior_weight: pseudo-transitions of every page, in the proportions of all users.
        n_starts: random starts; the best goes on.
        start_steps: EM steps of each start.
        max_steps: EM steps of the best one.
        tolerance: stop when a step gains less than this log-likelihood a user.
        seed: of the starts.
    """

    prior_weight: float = 20.0
    n_starts: int = 10
    start_steps: int = 25
    max_steps: int = 150
    tolerance: float = 2e-5
    seed: int = 0


def class_log_weights(mixture: Mixture, log_likelihoods: Floats) -> Floats:
    """Give the log of each class's posterior share.

    Args:
        mixture: the classes.
        log_likelihoods: of users given a class, shape (users, classes).

    Returns:
        Log weights that add up to 1, shape (users, classes).
    """
    joint = log_likelihoods + np.log(mixture.shares)
    weights: Floats = joint - logsumexp(joint, axis=1, keepdims=True)
    return weights


@dataclass(frozen=True)
class _Point:
    """The parameters that EM has reached, and the log-likelihood of those one step before."""

    shares: Floats
    log_chances: Floats
    log_likelihood: float = -np.inf


def _expect(points: list[_Point], counts: csr_matrix) -> list[_Sums]:
    """Sum what a block of users says of the classes of each point.

    The classes of all points lie side by side: a product with a sparse matrix takes little more
    time for a hundred columns than for five.
    """
    ends = np.cumsum([len(point.shares) for point in points])[:-1]
    log_chances = np.concatenate([point.log_chances for point in points])
    joint = counts @ np.ascontiguousarray(log_chances.T)
    joint += np.log(np.concatenate([point.shares for point in points]))
    log_likelihoods = [_to_weights(part) for part in np.split(joint, ends, axis=1)]
    sizes, sums = np.split(joint.sum(axis=0), ends), np.split((counts.T @ joint).T, ends)
    return list(map(_Sums, sizes, sums, log_likelihoods))


def _to_weights(joint: Floats) -> float:
    """Turn log likelihoods by class, shape (users, classes), into shares of the classes, in place.

    Returns:
        The log likelihood of all users.
    """
    most = joint.max(axis=1, keepdims=True)
    joint -= most
    np.exp(joint, out=joint)
    total = joint.sum(axis=1, keepdims=True)
    joint /= total
    return float((most + np.log(total)).sum())


def _add(parts: Sequence[_Sums]) -> _Sums:
    """Add blocks in their order: floating-point sums depend on it."""
    return _Sums(
        np.sum([part.sizes for part in parts], axis=0),
        np.sum([part.counts for part in parts], axis=0),
        float(np.sum([part.log_likelihood for part in parts])),
    )


def _pooled(counts: csr_matrix) -> Floats:
    found: Floats = np.asarray(counts.sum(axis=0), dtype=np.float64).ravel()
    return found


def to_log_chances(counts: Floats, prior: Floats) -> Floats:
    """Log of the chance of each next page, given level and page.

    Args:
        counts: of transitions, shape (..., N_CELLS).
        prior: added to them, see `pseudo_counts`, shape (N_CELLS,).
    """
    shaped = (counts + prior).reshape(*counts.shape[:-1], *SHAPE)
    chances = shaped / shaped.sum(axis=-1, keepdims=True)
    found: Floats = np.log(chances).reshape(counts.shape)
    return found


def pseudo_counts(pooled: Floats, weight: float) -> Floats:
    """`weight` transitions from every page, to its next pages in the proportions of all users.

    A ten-thousandth of them is spread evenly, so that no chance is 0.

    Args:
        pooled: transitions of all users, shape (N_CELLS,).
        weight: as `MixtureSettings.prior_weight`.
    """
    shaped = pooled.reshape(SHAPE)
    totals = shaped.sum(axis=-1, keepdims=True)
    uniform = np.full(SHAPE, 1.0 / SHAPE[-1])
    odds = np.where(totals > 0, shaped / np.maximum(totals, 1.0), uniform)
    return (weight * (0.9999 * odds + 0.0001 * uniform)).ravel()


def _climb(
    blocks: Blocks, points: list[_Point], prior: Floats, max_steps: int, tolerance: float
) -> list[_Point]:
    """Take EM steps from all points together until a step gains little; the prior counts too.

    A pass over the blocks costs the same for one point as for ten.
    """
    found, before = list(points), [-np.inf] * len(points)
    going = list(range(len(points)))
    for _ in range(max_steps):
        if not going:
            break
        parts = blocks(partial(_expect, [found[number] for number in going]))
        sums = [_add(of_point) for of_point in zip(*parts, strict=True)]
        still_going = []
        for number, total in zip(going, sums, strict=True):
            n_users, n_classes = total.sizes.sum(), len(total.sizes)
            objective = total.log_likelihood + float((prior * found[number].log_chances).sum())
            found[number] = _Point(
                (total.sizes + 1.0) / (n_users + n_classes),
                to_log_chances(total.counts, prior),
                total.log_likelihood,
            )
            if objective - before[number] >= tolerance * n_users:
                still_going.append(number)
            before[number] = objective
        going = still_going
    return found


def fit_mixtures(
    blocks: Blocks, n_classes: Sequence[int], settings: MixtureSettings
) -> list[Mixture]:
    """Fit classes of listeners to users' transitions between pages.

    The same blocks and settings give the same mixtures.

    Args:
        blocks: the users' counts.
        n_classes: how many classes, for each mixture.
        settings: how to fit.

    Returns:
        One mixture for each number of classes; see `Mixture.aic` for which to take.

    Raises:
        ValueError: if there are no transitions.
    """
    pooled = np.sum(blocks(_pooled), axis=0)
    if not np.sum(pooled) > 0:
        raise ValueError("no transitions to fit to")
    prior = pseudo_counts(pooled, settings.prior_weight)
    starts = [
        _start(np.random.default_rng([settings.seed, n, number]), n, pooled, prior)
        for n in n_classes
        for number in range(settings.n_starts)
    ]
    tried = _climb(blocks, starts, prior, settings.start_steps, 0.0)
    best = [
        max(
            (point for point in tried if len(point.shares) == n),
            key=lambda point: point.log_likelihood,
        )
        for n in n_classes
    ]
    climbed = _climb(blocks, best, prior, settings.max_steps, settings.tolerance)
    return [_finish(point, pooled) for point in climbed]


def _start(rng: np.random.Generator, n_classes: int, pooled: Floats, prior: Floats) -> _Point:
    """Classes to start from: the chances of all users, with random noise."""
    noise = rng.normal(0.0, _START_NOISE, (n_classes, N_CELLS))
    log_chances = to_log_chances(np.exp(to_log_chances(pooled, prior) + noise), np.zeros(N_CELLS))
    return _Point(np.full(n_classes, 1.0 / n_classes), log_chances)


def _finish(point: _Point, pooled: Floats) -> Mixture:
    """The mixture, its classes ordered by size, with Akaike's criterion."""
    n_classes = len(point.shares)
    order = np.argsort(-point.shares, kind="stable")
    n_free = n_classes * _free_chances(pooled) + n_classes - 1
    return Mixture(
        shares=point.shares[order],
        log_chances=point.log_chances[order],
        log_likelihood=point.log_likelihood,
        aic=2.0 * n_free - 2.0 * point.log_likelihood,
    )


def _free_chances(pooled: Floats) -> int:
    """The number of free parameters of a class: of each page, all next pages seen, but one."""
    seen = (pooled.reshape(SHAPE) > 0).sum(axis=-1)
    return int(np.maximum(seen - 1, 0).sum())
