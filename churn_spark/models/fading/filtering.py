"""Lives and parameters -> how likely each user fades, the likelihood, and its slope.

The forward and backward recursions of hidden Markov models (Rabiner, "A tutorial on hidden Markov
models", 1989), over days, for all users of a block at once. Each user's own mean pause when
content is unknown too: it takes the values of a grid, and the recursions run for each of them.
The slope of a user's log likelihood is the expectation of that of all that happened, given what
was seen (Fisher's identity).

A day: pauses that begin on it show the state, then the user may cancel, then the state may change.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from churn_spark.arrays import Floats, Ints
from churn_spark.models.fading.lives import Lives
from churn_spark.models.fading.parameters import (
    NAMES,
    Parameters,
    cancel_parts,
    fading_log_odds,
    grid,
)

_MAX_CHANCE: Final = 0.9


@dataclass(frozen=True)
class Filtered:
    """What lives say of the state in which they end.

    Attributes:
        weights: of content and fading users with each mean pause; those of a user add up to 1,
            shape (2, users, grid points).
        log_likelihoods: of the users, their cancellations left out, shape (users,).
        foreseen: log of the chance of the days without a cancellation, each given what was known
            before it was over, shape (users,).
        kept: the weights of each day before it was lived through, where they are asked for.
        norms: what each day's weights were divided by, by user of its pauses; the last one: what
            the users' weights at the end were.
    """

    weights: Floats
    log_likelihoods: Floats
    foreseen: Floats
    kept: list[Floats] = field(default_factory=list)
    norms: list[Floats] = field(default_factory=list)

    @property
    def fading(self) -> Floats:
        """The chance that each user fades, shape (users,)."""
        return np.asarray(self.weights[1].sum(axis=1))


@dataclass(frozen=True)
class Sums:
    """Of some users: log likelihood, its slope, and the outer products of the users' slopes."""

    log_likelihood: float
    slope: Floats
    products: Floats

    def __add__(self, other: Sums) -> Sums:
        """Of both."""
        return Sums(
            self.log_likelihood + other.log_likelihood,
            self.slope + other.slope,
            self.products + other.products,
        )


def filter_lives(
    lives: Lives, parameters: Parameters, profile: Floats, *, keeps: bool = False
) -> Filtered:
    """Run forward through the days.

    Args:
        lives: of some users.
        parameters: of the model.
        profile: what multiplies the chances to cancel on each day of the billing cycle, mean 1.
        keeps: whether each day's weights are kept, for the way back.
    """
    weights = _begin(lives, parameters)
    total, foreseen = np.zeros((2, len(lives.joined)))
    found = Filtered(weights, total, foreseen)
    for day in range(lives.n_days):
        user, seen, size = _see(lives, parameters, day)
        seen *= weights[:, user]
        norm = seen.sum(axis=(0, 2))
        weights[:, user] = seen / norm[:, None]
        total[user] += np.log(norm) + size
        if keeps:
            found.kept.append(weights.copy())
            found.norms.append(norm)
        step = _Step.of(lives, parameters, profile, day)
        before = weights.sum(axis=(0, 2))
        weights = step.forward(weights)
        foreseen += np.log(weights.sum(axis=(0, 2)) / before)
    norm = weights.sum(axis=(0, 2))
    found.norms.append(norm)
    return Filtered(
        weights / norm[:, None], total + np.log(norm), foreseen, found.kept, found.norms
    )


def sum_slopes(lives: Lives, vector: Floats, profile: Floats) -> Sums:
    """The likelihood of the lives, cancellations included, and its slopes by the vector."""
    parameters = Parameters.of_vector(vector)
    forward = filter_lives(lives, parameters, profile, keeps=True)
    finals = _final_chances(lives, parameters, profile)
    outcome = (forward.weights.sum(axis=2) * finals).sum(axis=0)
    slopes = _run_back(lives, vector, profile, forward, finals / outcome)
    total = forward.log_likelihoods.sum() + np.log(outcome).sum()
    return Sums(float(total), slopes.sum(axis=0), slopes.T @ slopes)


def foresee_cancels(lives: Lives, vector: Floats, profile: Floats) -> float:
    """Log of the chance of who cancelled when, each day given the pauses before; see `Filtered`."""
    parameters = Parameters.of_vector(vector)
    forward = filter_lives(lives, parameters, profile)
    finals = _final_chances(lives, parameters, profile)
    outcome = (forward.weights.sum(axis=2) * finals).sum(axis=0)
    return float(forward.foreseen.sum() + np.log(outcome).sum())


def forecast_staying(
    lives: Lives,
    filtered: Filtered,
    parameters: Parameters,
    profile: Floats,
    begin: int,
    days: Sequence[int],
) -> Floats:
    """The chances to be still subscribed after the lives' end, given that at a start.

    Args:
        lives: of some users.
        filtered: their state at the end.
        parameters: of the model.
        profile: of the billing cycle.
        begin: days from the end on.
        days: the same of the later instants, whose days up to them are lived through.

    Returns:
        Shape (users, days).
    """
    alive = filtered.weights.sum(axis=2)
    staying = {0: alive.sum(axis=0)}
    for day in range(max(days)):
        factors = lives.factors(profile, lives.n_days + day)
        survive = 1.0 - _cancel_chances(parameters, factors)
        alive = _move(alive * survive, parameters.onset, parameters.recovery)
        if day + 1 in (begin, *days):
            staying[day + 1] = alive.sum(axis=0)
    return np.column_stack([staying[day] / staying[begin] for day in days])


@dataclass(frozen=True)
class _Step:
    """The chances of one day; each of shape (users,), those of the dead 0.

    Attributes:
        cancel: while content and while fading, shape (2, users).
        onset: to begin to fade.
        recovery: to become content.
    """

    cancel: Floats
    onset: Floats
    recovery: Floats

    @classmethod
    def of(cls, lives: Lives, parameters: Parameters, profile: Floats, day: int) -> _Step:
        alive = lives.is_alive(day).astype(np.float64)
        cancel = _cancel_chances(parameters, lives.factors(profile, day)) * alive
        return cls(cancel, parameters.onset * alive, parameters.recovery * alive)

    def forward(self, weights: Floats) -> Floats:
        """The weights after the day."""
        alive = weights * (1.0 - self.cancel)[:, :, None]
        return _move(alive, self.onset[:, None], self.recovery[:, None])

    def back(self, later: Floats) -> Floats:
        """What the weights before the day are worth, of what those after it are."""
        change = later[1] - later[0]
        moved = np.stack(
            [
                later[0] + self.onset[:, None] * change,
                later[1] - self.recovery[:, None] * change,
            ]
        )
        return np.asarray(moved * (1.0 - self.cancel)[:, :, None])


def _move(alive: Floats, onset: float | Floats, recovery: float | Floats) -> Floats:
    """Weights of content and fading users, shape (2, ...), after a change of state."""
    flow = onset * alive[0] - recovery * alive[1]
    return np.stack([alive[0] - flow, alive[1] + flow])


def _begin(lives: Lives, parameters: Parameters) -> Floats:
    """The weights on the first day, shape (2, users, grid points)."""
    _, log_weights = grid()
    fading = np.where(lives.is_new, 0.0, parameters.fading_at_start)
    states = np.stack([1.0 - fading, fading])
    return np.asarray(states[:, :, None] * np.exp(log_weights))


def _means(parameters: Parameters) -> Floats:
    """Mean pauses of content and fading users in days, shape (2, grid points)."""
    return np.stack([parameters.pauses, parameters.pauses * parameters.slowing])


def _see(lives: Lives, parameters: Parameters, day: int) -> tuple[Ints, Floats, Floats]:
    """The users whose pauses began on a day, their likelihood, and the log of its size.

    Returns:
        Users, shape (pauses,); likelihoods, shape (2, pauses, grid points), the largest of each
        user 1; and by what log each was lowered to be so, shape (pauses,).
    """
    chosen, means = lives.pauses.of_day(day), _means(parameters)
    days, n_ended = lives.pauses.days[chosen, None], lives.pauses.n_ended[chosen, None]
    logs = -days / means[:, None, :] - n_ended * np.log(means)[:, None, :]
    size = logs.max(axis=(0, 2))
    return lives.pauses.user[chosen], np.exp(logs - size[:, None]), size


def _cancel_chances(parameters: Parameters, factors: Floats) -> Floats:
    """While content and while fading, shape (2, users)."""
    base = np.array([[parameters.cancel_content], [parameters.cancel_fading]])
    return np.asarray(np.minimum(base * factors, _MAX_CHANCE))


def _final_chances(lives: Lives, parameters: Parameters, profile: Floats) -> Floats:
    """Chance of how each life ended, by the state it ended in, shape (2, users)."""
    chances = _cancel_chances(parameters, lives.final_factors(profile))
    return np.asarray(np.where(lives.is_cancelled, chances, 1.0))


def _run_back(
    lives: Lives, vector: Floats, profile: Floats, forward: Filtered, finals: Floats
) -> Floats:
    """The slopes of the users' log likelihoods by the vector, shape (users, 7).

    Args:
        lives: of some users.
        vector: parameters of the model.
        profile: of the billing cycle.
        forward: with all that it can keep.
        finals: likelihood of how each life ended, over that of the state it ended in, shape
            (2, users).
    """
    parameters = Parameters.of_vector(vector)
    slopes = np.zeros((len(lives.joined), len(NAMES)))
    column = {name: slopes[:, number] for number, name in enumerate(NAMES)}
    cancels = ("cancel_content", "cancel_fading")
    at_end = forward.weights.sum(axis=2) * finals * lives.is_cancelled
    for name, chance in zip(cancels, at_end, strict=True):
        column[name] += chance
    (deviates, _), means = grid(), _means(parameters)
    later = np.repeat((finals / forward.norms[-1])[:, :, None], len(deviates), axis=2)
    for day in reversed(range(lives.n_days)):
        weights = forward.kept[day]
        step = _Step.of(lives, parameters, profile, day)
        survive = 1.0 - step.cancel
        same, other = (
            np.einsum("sur,sur->su", weights, side) * survive for side in (later, later[::-1])
        )
        begun, recovered = step.onset * other[0], step.recovery * other[1]
        lived = (
            begun + (1.0 - step.onset) * same[0],
            recovered + (1.0 - step.recovery) * same[1],
        )
        column["onset"] += begun - step.onset * lived[0]
        column["recovery"] += recovered - step.recovery * lived[1]
        for name, alive, chance, survived in zip(cancels, lived, step.cancel, survive, strict=True):
            column[name] -= alive * chance / survived
        later = step.back(later)
        chosen = lives.pauses.of_day(day)
        user = lives.pauses.user[chosen]
        known = weights[:, user] * later[:, user]
        expected = lives.pauses.days[chosen, None] / means[:, None, :]
        told = known * (expected - lives.pauses.n_ended[chosen, None])
        column["slowing"][user] += told[1].sum(axis=1)
        column["mean_log_pause"][user] += told.sum(axis=(0, 2))
        column["sd_log_pause"][user] += (told.sum(axis=0) * deviates).sum(axis=1)
        _, seen, _ = _see(lives, parameters, day)
        later[:, user] *= seen / forward.norms[day][:, None]
    begun = (_begin(lives, parameters)[1] * later[1]).sum(axis=1)
    at_start = np.where(lives.is_new, 0.0, begun - parameters.fading_at_start)
    content, more = cancel_parts(parameters)
    column["cancel_content"] += content * column["cancel_fading"]
    column["cancel_fading"] *= more
    slopes += at_start[:, None] * fading_log_odds(vector)[1]
    column["slowing"] *= (parameters.slowing - 1.0) / parameters.slowing
    column["sd_log_pause"] *= parameters.sd_log_pause
    return slopes
