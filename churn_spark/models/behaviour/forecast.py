"""The chance to cancel within a horizon: sessions come at a rate, and each may end in one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.linalg import expm

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
    # Sessions a day, shape (classes, rates, 2): a pause of at least half an hour follows each.
    cycles = 1.0 / (1.0 / rates[:, None] + sessions.days[:, None, :] + SESSION_PAUSE_DAYS)
    generators = cycles[..., None] * (sessions.ends[:, None, :, :2] - np.eye(2))
    alive: Floats = expm(generators * days).sum(axis=-1)
    return np.swapaxes(alive, 1, 2)


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
