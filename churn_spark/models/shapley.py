"""Shapley values of games whose players are few: exact, from the value of every coalition.

A coalition is a whole number: bit `i` tells whether player `i` is in it.

Source: Shapley, "A value for n-person games" (1953).
"""

from __future__ import annotations

from functools import cache
from math import comb

import numpy as np

from churn_spark.arrays import Floats


def shapley_values(worth: Floats) -> Floats:
    """What each player is worth: the mean of what joining adds, over all orders of joining.

    A row's values add up to the worth of all players less that of none.

    Args:
        worth: of every coalition, shape (2**players, rows).

    Returns:
        Shape (players, rows).
    """
    found: Floats = _weights(len(worth).bit_length() - 1) @ worth
    return found


@cache
def _weights(n_players: int) -> Floats:
    """How a player's value is summed from the worth of coalitions, shape (players, 2**players).

    Of all orders, one of n x (n - 1 over s) has exactly some given s players before a player.
    """
    coalitions = np.arange(2**n_players)
    is_in = (coalitions >> np.arange(n_players)[:, None]) & 1 == 1
    n_others = is_in.sum(axis=0) - is_in
    shares = np.array([1.0 / (n_players * comb(n_players - 1, s)) for s in range(n_players)])
    found: Floats = np.where(is_in, 1.0, -1.0) * shares[n_others]
    return found
