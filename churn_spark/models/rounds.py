"""How many trees: the fewest that are not clearly worse than the best number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from churn_spark.arrays import Floats
from churn_spark.evaluation.intervals import paired_difference
from churn_spark.evaluation.weights import n_counted
from churn_spark.models.calibration_choice import MIN_POSITIVES


@dataclass(frozen=True)
class ChosenRounds:
    """A number of trees and why.

    Attributes:
        rounds: trees to grow.
        best: the number with the least loss.
        reason: one sentence.
    """

    rounds: int
    best: int
    reason: str


def round_grid(least: int, most: int) -> list[int]:
    """Numbers of trees to try: both ends, and steps of about a third between them."""
    grid = [least]
    while grid[-1] < most:
        grid.append(min(most, grid[-1] + max(5, round(grid[-1] / 3))))
    return grid


def rounds_to_try(n_positive: int, least: int, most: int, *, from_forecasts: bool) -> list[int]:
    """Numbers of trees to try; only the least where nobody could tell that more are better.

    Trees that add to forecasts start from what is known, and with few held-out cancellations the
    best number is chance, however long the way to it: one log of 450 users in seven got 300 trees
    and more (docs/adr/0063). Trees that start from the base rate have to grow in any case.

    Args:
        n_positive: held-out rows that cancel.
        least: trees.
        most: trees.
        from_forecasts: whether the trees add to forecasts.
    """
    if from_forecasts and n_positive < MIN_POSITIVES:
        return [least]
    return round_grid(least, most)


def numbers_to_grow(grid: Sequence[int]) -> list[int]:
    """Numbers of trees to grow one after the other, until enough are known to be enough.

    About six times the least, then always about three times as many, up to the most.

    Args:
        grid: numbers of trees to try, ascending.
    """
    found, enough = [], 6 * grid[0]
    for rounds in grid:
        if rounds >= enough:
            found.append(rounds)
            enough = 3 * rounds
    return found if found[-1:] == [grid[-1]] else [*found, grid[-1]]


def are_enough(best: int, grown: int) -> bool:
    """Whether two thirds of the trees and more have brought nothing: more aren't tried then."""
    return 3 * best <= grown


def choose_rounds(
    losses: Floats,
    users: NDArray[np.object_],
    grid: list[int],
    weights: Floats | None = None,
) -> ChosenRounds:
    """Take the fewest trees whose loss is within one standard error of the least.

    With a few hundred cancellations the best number is mostly chance; the fewest trees that are
    not clearly worse is a steadier choice. Source: the one-standard-error rule of Breiman,
    Friedman, Olshen and Stone, "Classification and Regression Trees" (1984), on paired
    differences and by user.

    Args:
        losses: of held-out rows after each number of trees, shape (grid, rows).
        users: of the rows, shape (rows,); a user's rows are one observation.
        grid: ascending numbers of trees, as in `losses`.
        weights: how often each row counts, shape (rows,); once by default.
    """
    if len(grid) == 1:
        why = f"fewer than {MIN_POSITIVES} held-out cancellations, or min_rounds is max_rounds"
        return ChosenRounds(grid[0], grid[0], f"{grid[0]} trees, as no others are tried: {why}")
    _, user = np.unique(users.astype(str), return_inverse=True)
    n_users = int(user.max()) + 1
    best = int(np.argmin(np.average(losses, axis=1, weights=weights)))
    # Every user counts the same here, however many dates they are in.
    rows_per_user = np.full(n_users, n_counted(losses.shape[1], weights) / n_users)
    for position, rounds in enumerate(grid):
        worse = losses[position] - losses[best]
        by_user = np.bincount(user, weights=worse if weights is None else worse * weights)
        gap, error = paired_difference(by_user, rows_per_user)
        if gap <= error:
            return ChosenRounds(
                rounds,
                grid[best],
                f"{rounds} trees lose {gap:.2e} nats a row on {grid[best]}, the best number; "
                f"one standard error is {error:.2e}",
            )
    raise AssertionError("the best number is within any error of itself")
