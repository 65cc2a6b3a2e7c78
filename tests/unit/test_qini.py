"""The Qini: against slow oracles, its laws, and its interval on drawn users."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from churn_spark.arrays import Floats
from churn_spark.evaluation.effect import boundary, users_for
from churn_spark.evaluation.qini import Drawn, compare_qinis, measure_qini


@st.composite
def orders(draw: st.DrawFn) -> tuple[Floats, Floats]:
    """Savings and scores, some of them equal."""
    n = draw(st.integers(2, 40))
    saved = draw(st.lists(st.floats(-5, 5), min_size=n, max_size=n))
    scores = draw(st.lists(st.integers(-4, 4), min_size=n, max_size=n))
    return np.array(saved), np.array(scores, dtype=float)


def zeros(n: int) -> np.ndarray:
    return np.zeros(n, dtype=np.int64)


def area_by_hand(saved: Floats, scores: Floats) -> float:
    """Saved by a list of each length, less that of a list by chance; ties in the mean."""
    n = len(saved)
    order = sorted(range(n), key=lambda i: -scores[i])
    gains = [0.0]
    position = 0
    while position < n:
        ties = [i for i in order if scores[i] == scores[order[position]]]
        mean = sum(saved[i] for i in ties) / len(ties)
        for _ in ties:
            gains.append(gains[-1] + mean / n)
        position += len(ties)
    by_chance = [gains[-1] * k / n for k in range(n + 1)]
    lifts = [gain - other for gain, other in zip(gains, by_chance, strict=True)]
    return sum((first + second) / 2 / n for first, second in pairwise(lifts))


@given(orders())
def test_qini_is_the_area_between_the_curve_and_chance(known: tuple[Floats, Floats]) -> None:
    saved, scores = known
    found = measure_qini(saved, scores, zeros(len(saved)))
    assert found.value == pytest.approx(area_by_hand(saved, scores), abs=1e-9)


@given(orders(), st.floats(-2, 2), st.floats(0.1, 3))
def test_order_alone_counts_and_what_all_are_saved_by_does_not(
    known: tuple[Floats, Floats], more: float, scale: float
) -> None:
    saved, scores = known
    folds = zeros(len(saved))
    found = measure_qini(saved, scores, folds)
    other = measure_qini(scale * saved + more, np.exp(scores / 3), folds)
    assert other.value == pytest.approx(scale * found.value, abs=1e-8)
    assert measure_qini(saved, -scores, folds).value == pytest.approx(-found.value, abs=1e-9)
    assert measure_qini(saved, saved, folds).value >= found.value - 1e-9
    nobody = compare_qinis(saved, scores, scores, folds)
    assert (nobody.value, nobody.always.low) == (0.0, -np.inf)


def test_ranks_are_those_within_a_fold() -> None:
    saved, folds = np.array([1.0, 0.0, 1.0, 0.0]), np.array([0, 0, 1, 1])
    # Another model may have scores ten times as high: it says nothing of the users.
    shifted = measure_qini(saved, np.array([0.2, 0.1, 20.0, 10.0]), folds)
    assert (
        shifted.value == measure_qini(saved, np.array([0.2, 0.1, 0.2, 0.1]), folds).value == 0.125
    )


def drawn_users(n: int, seed: int, share: float = 0.1) -> tuple[Drawn, Floats, Floats]:
    """A draw, its users' true savings, and scores that say something of them."""
    rng = np.random.default_rng(seed)
    risk = rng.beta(2, 8, n)
    saving = risk * rng.choice([0.6, 0.0, -0.3], n)
    is_control = rng.random(n) < share
    cancels = rng.random(n) < np.where(is_control, risk, risk - saving)
    served = np.clip(risk * rng.uniform(0.7, 1.3, n), 0, 1)
    return Drawn(is_control, cancels, served, share), saving, saving + 0.05 * rng.normal(size=n)


def test_transformed_outcome_is_that_of_the_formula() -> None:
    drawn = Drawn(np.array([True, True, False, False]), np.array([1, 0, 1, 0]) > 0,
                  np.array([0.3, 0.3, 0.3, 0.3]), 0.25)  # fmt: skip
    assert drawn.saved.tolist() == pytest.approx([2.8, -1.2, -0.7 / 0.75, 0.4])
    assert drawn.of(drawn.cancels).saved.tolist() == pytest.approx([2.8, -0.7 / 0.75])


def test_error_knows_that_the_ranks_are_of_the_same_sample() -> None:
    """Where all are saved by the same, each order has a Qini of 0, in every sample."""
    found = measure_qini(np.full(9, 0.3), np.arange(9.0), zeros(9))
    assert found.value == pytest.approx(0.0, abs=1e-12)
    assert found.error == pytest.approx(0.0, abs=1e-12)


def test_interval_holds_the_true_qini_in_95_of_100_draws() -> None:
    n, n_draws = 4000, 300
    _, saving, scores = drawn_users(200_000, 0)
    truth = measure_qini(saving, scores, zeros(len(saving))).value
    inside, errors, values = 0, [], []
    for seed in range(n_draws):
        drawn, _, scores = drawn_users(n, seed + 1)
        found = measure_qini(drawn.saved, scores, zeros(n))
        inside += abs(found.value - truth) <= 1.96 * found.error
        errors.append(found.error)
        values.append(found.value)
    assert 0.92 <= inside / n_draws <= 0.98
    assert np.mean(errors) == pytest.approx(np.std(values), rel=0.12)
    # For all looks together it is wider by the boundary of so many users.
    reach = found.always.high - found.value
    assert reach == pytest.approx(boundary(n) * found.error)


def test_users_needed_are_the_fewest_that_tell_the_difference() -> None:
    needed = users_for(0.2, 0.01)
    assert boundary(needed) ** 2 * 0.2 <= 0.01**2 * needed
    assert boundary(needed - 1) ** 2 * 0.2 > 0.01**2 * (needed - 1)
