"""Lives and parameters -> how likely each user fades, the likelihood, and its slope.

The forward and backward recursions of hidden Markov models (Rabiner, "A tutorial on hidden Markov
models", 1989), over days, for all users of a block at once. Each user's own mean pause when
content is unknown too: it takes the values of a grid, and the recursions run for each of them. It
never changes, and the chance of a value that many pauses speak against falls below any float,
though a later pause may speak for it. So the weights of each value add up to 1, and the logarithm
of its own chance is kept beside them.
The slope of a user's log likelihood is the expectation of that of all that happened, given what
was seen (Fisher's identity).

A day: pauses that begin on it show the state, then the user may cancel, then the state may change.

Users are the last axis of all arrays: NumPy's loops are longest along it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from scipy.special import logsumexp

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
            shape (2, grid points, users).
        log_likelihoods: of the users, their cancellations left out, shape (users,).
        steps: the chances of the days.
        shares: what the weights at the end were multiplied by so that a user's add up to 1: the
            chance of each mean pause is in it, shape (grid points, users).
        sizes: log likelihoods of each day's pauses by mean pause, of shape (grid points, pauses).
        kept: the weights of each day before it was lived through, of each mean pause by
            themselves, where they are asked for.
        updates: what the day's pauses had multiplied them by, of shape (2, grid points, pauses).
    """

    weights: Floats
    log_likelihoods: Floats
    steps: _Steps
    shares: Floats
    sizes: list[Floats]
    kept: list[Floats] = field(default_factory=list)
    updates: list[Floats] = field(default_factory=list)

    @property
    def fading(self) -> Floats:
        """The chance that each user fades, shape (users,)."""
        return np.asarray(self.weights[1].sum(axis=0))


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
    weights, steps = _begin(lives, parameters), _Steps.of(lives, parameters, profile)
    means, sizes, kept, updates = _means(parameters), [], [], []
    for day in range(lives.n_days):
        user, seen, size = _see(lives, means, day)
        of_users = weights[..., user] * seen
        norm = of_users.sum(axis=0)
        of_users /= norm
        weights[..., user] = of_users
        sizes.append(np.log(norm) + size)
        if keeps:
            seen /= norm
            kept.append(weights)
            updates.append(seen)
        weights = steps.forward(weights, day)
    logs = _sum_by_user(lives, sizes) + np.log(weights.sum(axis=0)) + grid()[1][:, None]
    log_likelihoods = logsumexp(logs, axis=0)
    shares = np.exp(logs - log_likelihoods) / weights.sum(axis=0)
    return Filtered(weights * shares, log_likelihoods, steps, shares, sizes, kept, updates)


def sum_slopes(lives: Lives, vector: Floats, profile: Floats) -> Sums:
    """The likelihood of the lives, cancellations included, and its slopes by the vector."""
    parameters = Parameters.of_vector(vector)
    forward = filter_lives(lives, parameters, profile, keeps=True)
    finals = _final_chances(lives, parameters, profile)
    outcome = (forward.weights.sum(axis=1) * finals).sum(axis=0)
    slopes = _run_back(lives, vector, forward, finals, outcome)
    total = forward.log_likelihoods.sum() + np.log(outcome).sum()
    return Sums(float(total), slopes.sum(axis=1), slopes @ slopes.T)


def foresee_cancels(lives: Lives, vector: Floats, profile: Floats) -> float:
    """Log of the chance of who cancelled when, each day given the pauses begun by then."""
    parameters = Parameters.of_vector(vector)
    forward = filter_lives(lives, parameters, profile, keeps=True)
    finals = _final_chances(lives, parameters, profile)
    outcome = (forward.weights.sum(axis=1) * finals).sum(axis=0)
    logs = np.repeat(grid()[1][:, None], len(lives.joined), axis=1)
    shares, mass = np.exp(logs), np.ones(len(lives.joined))
    foreseen = np.log(outcome).sum()
    for day, (weights, size) in enumerate(zip(forward.kept, forward.sizes, strict=True)):
        user = lives.pauses.user[lives.pauses.of_day(day)]
        logs[:, user] += size
        shares[:, user], mass[user] = _shares_of(logs[:, user]), 1.0
        alive = (weights * forward.steps.survive[:, None, day]).sum(axis=0)
        left = (alive * shares).sum(axis=0)
        foreseen += np.log(left / mass).sum()
        mass = left
    return float(foreseen)


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
    alive = filtered.weights.sum(axis=1)
    staying = {0: alive.sum(axis=0)}
    for day in range(max(days)):
        factors = lives.factors(profile, lives.n_days + day)
        survive = 1.0 - _cancel_chances(parameters, factors)
        alive = _move(alive * survive, parameters.onset, parameters.recovery)
        if day + 1 in (begin, *days):
            staying[day + 1] = alive.sum(axis=0)
    return np.column_stack([staying[day] / staying[begin] for day in days])


@dataclass(frozen=True)
class _Steps:
    """The chances of all days; those of the dead are 0.

    Attributes:
        cancel: while content and while fading, shape (2, days, users).
        survive: one less these.
        onset: to begin to fade, shape (days, users).
        recovery: to become content, of that shape.
    """

    cancel: Floats
    survive: Floats
    onset: Floats
    recovery: Floats

    @classmethod
    def of(cls, lives: Lives, parameters: Parameters, profile: Floats) -> _Steps:
        days = np.arange(lives.n_days)[:, None]
        alive = lives.is_alive(days).astype(np.float64)
        cancel = _cancel_chances(parameters, lives.factors(profile, days)) * alive
        return cls(cancel, 1.0 - cancel, parameters.onset * alive, parameters.recovery * alive)

    def forward(self, weights: Floats, day: int) -> Floats:
        """The weights after a day."""
        alive = weights * self.survive[:, None, day]
        return _move(alive, self.onset[day], self.recovery[day])

    def back(self, later: Floats, day: int) -> Floats:
        """What the weights before a day are worth, of what those after it are."""
        change = later[1] - later[0]
        moved = later.copy()
        moved[0] += self.onset[day] * change
        moved[1] -= self.recovery[day] * change
        moved *= self.survive[:, None, day]
        return moved


def _move(alive: Floats, onset: float | Floats, recovery: float | Floats) -> Floats:
    """Move weights of content and fading users, shape (2, ...), by a change of state, in place."""
    flow = onset * alive[0] - recovery * alive[1]
    alive[0] -= flow
    alive[1] += flow
    return alive


def _begin(lives: Lives, parameters: Parameters) -> Floats:
    """The weights on the first day, shape (2, grid points, users)."""
    fading = np.where(lives.is_new, 0.0, parameters.fading_at_start)
    return np.repeat(np.stack([1.0 - fading, fading])[:, None], len(parameters.pauses), axis=1)


def _means(parameters: Parameters) -> Floats:
    """Mean pauses of content and fading users in days, shape (2, grid points, 1)."""
    pauses = parameters.pauses
    return np.array([pauses, pauses * parameters.slowing])[..., None]


def _see(lives: Lives, means: Floats, day: int) -> tuple[Ints, Floats, Floats]:
    """The users whose pauses began on a day, their likelihood, and the log of its size.

    Returns:
        Users, shape (pauses,); likelihoods, shape (2, grid points, pauses), the larger one of the
        two states 1; and by what log both were lowered to be so, shape (grid points, pauses).
    """
    chosen = lives.pauses.of_day(day)
    user = lives.pauses.user[chosen]
    days, n_ended = lives.pauses.days[chosen], lives.pauses.n_ended[chosen]
    logs = -days / means - n_ended * np.log(means)
    # Whoever registers is content: else the larger one may be that of a state without weight.
    logs[1][:, lives.is_new[user] & (lives.joined[user] == day)] = -np.inf
    size = np.maximum(*logs)
    logs -= size
    return user, np.exp(logs, out=logs), size


def _shares_of(logs: Floats) -> Floats:
    """What adds up to 1 along the first axis, of its logarithms up to a constant."""
    sizes = np.exp(logs - logs.max(axis=0))
    sizes /= sizes.sum(axis=0)
    return np.asarray(sizes)


def _sum_by_user(lives: Lives, of_days: list[Floats]) -> Floats:
    """Sums of what the pauses of each day have, shape (grid points, users)."""
    user, n_users = lives.pauses.user, len(lives.joined)
    of_pauses = np.concatenate([np.empty((len(grid()[0]), 0)), *of_days], axis=1)
    return np.stack([np.bincount(user, of_point, n_users) for of_point in of_pauses])


def _cancel_chances(parameters: Parameters, factors: Floats) -> Floats:
    """While content and while fading, shape (2, *factors.shape)."""
    base = parameters.cancel_content, parameters.cancel_fading
    return np.stack([np.minimum(chance * factors, _MAX_CHANCE) for chance in base])


def _growing(chances: Floats) -> Floats:
    """What chances to cancel grow by with the log of their parameter: 0 at the bound."""
    return np.where(chances < _MAX_CHANCE, chances, 0.0)


def _final_chances(lives: Lives, parameters: Parameters, profile: Floats) -> Floats:
    """Chance of how each life ended, by the state it ended in, shape (2, users)."""
    chances = _cancel_chances(parameters, lives.final_factors(profile))
    return np.asarray(np.where(lives.is_cancelled, chances, 1.0))


def _run_back(
    lives: Lives, vector: Floats, forward: Filtered, finals: Floats, outcome: Floats
) -> Floats:
    """The slopes of the users' log likelihoods by the vector, shape (7, users).

    Args:
        lives: of some users.
        vector: parameters of the model.
        forward: with all that it can keep.
        finals: likelihood of how each life ended, by the state it ended in, shape (2, users).
        outcome: the same whatever the state, shape (users,).
    """
    parameters = Parameters.of_vector(vector)
    slopes = np.zeros((len(NAMES), len(lives.joined)))
    column = dict(zip(NAMES, slopes, strict=True))
    cancels = ("cancel_content", "cancel_fading")
    at_end = forward.weights.sum(axis=1) * _growing(finals) / outcome * lives.is_cancelled
    for name, chance in zip(cancels, at_end, strict=True):
        column[name] += chance
    (deviates, _), means = grid(), _means(parameters)
    steps = forward.steps
    later = (finals / outcome)[:, None] * forward.shares
    for day in reversed(range(lives.n_days)):
        weights = forward.kept[day]
        cancel, survive = _growing(steps.cancel[:, day]), steps.survive[:, day]
        onset, recovery = steps.onset[day], steps.recovery[day]
        same, other = (
            np.einsum("sgu,sgu->su", weights, side) * survive for side in (later, later[::-1])
        )
        begun, recovered = onset * other[0], recovery * other[1]
        lived = begun + (1.0 - onset) * same[0], recovered + (1.0 - recovery) * same[1]
        column["onset"] += begun - onset * lived[0]
        column["recovery"] += recovered - recovery * lived[1]
        for name, alive, chance, survived in zip(cancels, lived, cancel, survive, strict=True):
            column[name] -= alive * chance / survived
        later = steps.back(later, day)
        chosen = lives.pauses.of_day(day)
        user = lives.pauses.user[chosen]
        known = weights[..., user] * later[..., user]
        expected = lives.pauses.days[chosen] / means
        told = known * (expected - lives.pauses.n_ended[chosen])
        column["slowing"][user] += told[1].sum(axis=0)
        column["mean_log_pause"][user] += told.sum(axis=(0, 1))
        column["sd_log_pause"][user] += deviates @ told.sum(axis=0)
        later[..., user] *= forward.updates[day]
    begun = (_begin(lives, parameters)[1] * later[1]).sum(axis=0)
    at_start = np.where(lives.is_new, 0.0, begun - parameters.fading_at_start)
    content, more = cancel_parts(parameters)
    column["cancel_content"] += content * column["cancel_fading"]
    column["cancel_fading"] *= more
    slopes += np.outer(fading_log_odds(vector)[1], at_start)
    column["slowing"] *= (parameters.slowing - 1.0) / parameters.slowing
    column["sd_log_pause"] *= parameters.sd_log_pause
    return slopes
