"""How many trees: the fewest that can't be told from the best."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from churn_spark.models.rounds import (
    are_enough,
    choose_rounds,
    numbers_to_grow,
    round_grid,
    rounds_to_try,
)

GRID = [10, 20, 40]


def _users(n: int) -> np.ndarray:
    return np.array([f"u{number}" for number in range(n)], dtype=object)


def test_fewest_are_taken_when_all_are_alike() -> None:
    losses = np.full((3, 50), 0.2)
    assert choose_rounds(losses, _users(50), GRID).rounds == 10


def test_best_is_taken_when_the_others_are_clearly_worse() -> None:
    noise = np.random.default_rng(0).normal(0.0, 0.001, (3, 500))
    losses = np.array([[0.3], [0.2], [0.1]]) + noise
    chosen = choose_rounds(losses, _users(500), GRID)
    assert (chosen.rounds, chosen.best) == (40, 40)


def test_fewer_are_taken_when_the_best_wins_by_chance() -> None:
    """One row in a hundred decides, against another: less than one standard error."""
    losses = np.full((3, 100), 0.2)
    losses[2, :2] = 0.1, 0.23
    chosen = choose_rounds(losses, _users(100), GRID)
    assert (chosen.rounds, chosen.best) == (10, 40)


@pytest.mark.parametrize(("worse", "rounds"), [(0.5, 10), (1.5, 40)])
def test_one_standard_error_is_the_limit(worse: float, rounds: int) -> None:
    """Rows that are worse and better by .1 in turn: of a hundred, a standard error of .01."""
    losses = np.full((2, 100), 0.2)
    losses[0] += 0.01 * worse + 0.1 * np.tile([1, -1], 50)
    assert choose_rounds(losses, _users(100), [10, 40]).rounds == rounds


def test_rows_of_one_user_are_one_observation() -> None:
    """The same gain in half of the rows is certain of forty users, and chance of two."""
    gain = np.repeat([0.2, 0.0], 20)
    losses = np.stack([gain + 0.1, gain + 0.1, np.full(40, 0.1)])
    assert choose_rounds(losses, np.repeat(_users(2), 20), GRID).rounds == 10
    assert choose_rounds(losses, _users(40), GRID).rounds == 40


def test_few_cancellations_ask_for_no_more_trees_where_forecasts_say_what_is_known() -> None:
    assert rounds_to_try(49, 10, 400, from_forecasts=True) == [10]
    assert rounds_to_try(50, 10, 400, from_forecasts=True) == round_grid(10, 400)
    assert rounds_to_try(0, 10, 400, from_forecasts=False) == round_grid(10, 400)


def test_the_only_number_is_taken_and_the_reason_says_why() -> None:
    chosen = choose_rounds(np.full((1, 50), 0.2), _users(50), [10])
    assert (chosen.rounds, chosen.best) == (10, 10)
    assert "fewer than 50 held-out cancellations" in chosen.reason


@given(st.integers(1, 50), st.integers(0, 2000))
def test_grid_climbs_from_the_least_to_the_most(least: int, more: int) -> None:
    grid = round_grid(least, least + more)
    assert grid[0] == least
    assert grid[-1] == least + more
    assert grid == sorted(set(grid))
    assert len(grid) < 40


def test_trees_are_grown_in_steps_of_three_times_as_many_up_to_the_most() -> None:
    assert numbers_to_grow(round_grid(10, 400)) == [64, 201, 400]
    assert numbers_to_grow(round_grid(10, 60)) == [60]
    assert numbers_to_grow([10]) == [10]


@given(st.integers(1, 50), st.integers(0, 500))
def test_all_numbers_to_grow_are_tried_and_the_most_is_the_last(least: int, more: int) -> None:
    grid = round_grid(least, least + more)
    found = numbers_to_grow(grid)
    assert set(found) <= set(grid)
    assert found == sorted(set(found))
    assert found[-1] == grid[-1]


def test_trees_are_enough_when_two_thirds_of_them_have_brought_nothing() -> None:
    assert are_enough(21, 64)
    assert not are_enough(22, 64)
