"""The chance to cancel within a horizon: sessions come at a rate, and each may end in one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from churn_spark.arrays import Floats
from churn_spark.models.behaviour.outcomes import Sessions
from churn_spark.models.behaviour.visits import SESSION_PAUSE_DAYS


def survival(sessions: Sessions, rates: Floats, days: float) -> Floats:
    """Give the chance to be still subscribed after some days of exposure.

    Between sessions a user is free or paid. The next session comes after `1 / rate` days on
    average and lasts `sessions.days`; it ends free, paid or cancelled. With exponential times
    that is a Markov chain of two states with cancellation as its exit.

    Args:
        sessions: what becomes of them, by class and level.
        rates: visits a day of exposure, shape (rates,).
        days: length of the horizon in days of exposure.

    Returns:
        Shape (classes, 2, rates).
    """
    # Sessions a day, shape (classes, 2, rates): a pause of at least half an hour follows each.
    pauses = 1.0 / rates + SESSION_PAUSE_DAYS
    cycles = 1.0 / (sessions.days[:, :, None] + pauses)
    stays = sessions.ends[:, :, :2]
    to_other = cycles * np.stack([stays[:, 0, 1], stays[:, 1, 0]], axis=1)[..., None]
    leaving = cycles * (1.0 - np.diagonal(stays, axis1=1, axis2=2))[..., None]
    return _alive_after(leaving, to_other, days)


def _alive_after(leaving: Floats, to_other: Floats, days: float) -> Floats:
    """Row sums of `exp(days * generator)` for many chains of two states at once.

    Two states have a closed form (Sylvester's, of the two eigenvalues), thousands of times as
    fast as SciPy's `expm`, which takes one matrix after the other.

    Args:
        leaving: rate at which each state is left, shape (classes, 2, rates).
        to_other: the part of it that goes to the other state, of that shape.
        days: length.
    """
    mean = leaving.mean(axis=1)
    half = leaving[:, 0] - mean
    spread = np.hypot(half, np.sqrt(to_other[:, 0] * to_other[:, 1]))
    # Of the product of both rates: their difference would lose the slow rate's digits.
    exits = leaving[:, 0] * leaving[:, 1] - to_other[:, 0] * to_other[:, 1]
    slow = np.divide(exits, mean + spread, out=np.zeros_like(mean), where=mean > 0.0)
    both = 2.0 * spread * days
    share = np.divide(-np.expm1(-both), both, out=np.ones_like(both), where=both > 0.0)
    tilt = np.stack([to_other[:, 0] - half, to_other[:, 1] + half], axis=1) - spread[:, None]
    alive: Floats = np.exp(-slow * days)[:, None] * (1.0 + days * share[:, None] * tilt)
    return alive


def staying_chances(
    class_weights: Floats,
    rate_weights: Floats,
    before: Floats,
    after: Sequence[Floats],
    level: Floats,
) -> Floats:
    """Weigh the chances to stay over what class and rate users may have.

    Args:
        class_weights: shape (users, classes).
        rate_weights: shape (users, rates).
        before: survival to the start of the horizon, shape (classes, 2, rates).
        after: survival to later instants, each of that shape.
        level: index into `cells.LEVELS`, shape (users,).

    Returns:
        Chance to be still subscribed at each of the instants, of those who are at the begin,
        shape (users, instants).
    """
    found = np.empty((len(level), len(after)))
    for place in (0, 1):
        chosen = level == place
        classes, rates = class_weights[chosen], rate_weights[chosen]
        to_begin, *to_later = (
            np.einsum("uk,kr,ur->u", classes, alive[:, place], rates, optimize=True)
            for alive in (before, *after)
        )
        found[chosen] = np.column_stack(to_later) / to_begin[:, None]
    return found
