"""Shapley values: against the mean over all orders of joining, one order after the other."""

from __future__ import annotations

from itertools import permutations
from math import factorial

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from churn_spark.models.shapley import shapley_values


def by_orders(worth: np.ndarray, n_players: int) -> list[float]:
    """The definition, in plain Python: what a player adds on joining, averaged over all orders."""
    found = [0.0] * n_players
    for order in permutations(range(n_players)):
        coalition = 0
        for player in order:
            joined = coalition | 1 << player
            found[player] += float(worth[joined] - worth[coalition])
            coalition = joined
    return [total / factorial(n_players) for total in found]


@given(data=st.data(), n_players=st.integers(1, 5))
def test_values_are_the_mean_over_all_orders_and_add_up(
    data: st.DataObject, n_players: int
) -> None:
    elements = st.floats(-20, 20, allow_subnormal=False)
    worth = data.draw(hnp.arrays(np.float64, (2**n_players, 2), elements=elements))
    found = shapley_values(worth)
    for row in (0, 1):
        np.testing.assert_allclose(found[:, row], by_orders(worth[:, row], n_players), atol=1e-9)
    np.testing.assert_allclose(found.sum(axis=0), worth[-1] - worth[0], atol=1e-9)


def test_who_adds_nothing_is_worth_nothing_and_who_adds_alike_as_much() -> None:
    # Players 0 and 1 are worth 3 together, nothing alone; player 2 never matters.
    worth = np.array([[3.0 if coalition & 3 == 3 else 0.0] for coalition in range(8)])
    np.testing.assert_allclose(shapley_values(worth)[:, 0], [1.5, 1.5, 0.0])
