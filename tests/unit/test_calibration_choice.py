"""The chosen kind is the one that planted rows need, and the simplest of those that do."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit

from churn_spark.models.calibration import Calibration, Kind, fit_calibration
from churn_spark.models.calibration_choice import (
    MIN_POSITIVES,
    ChosenCalibration,
    _folds,
    choose_calibration,
)

BENT = {
    "none": lambda m: m,
    "shift": lambda m: m + 2,
    "beta": lambda m: 0.5 * m,
    "isotonic": lambda m: np.tanh(2 * (m + 2)) * 3,
}


def choose(bend: Kind, n: int = 8000, mean: float = -2.0, seed: int = 0) -> ChosenCalibration:
    rng = np.random.default_rng(seed)
    margins = rng.normal(mean, 1, n)
    labels = (rng.random(n) < expit(margins)).astype(int)
    return choose_calibration(BENT[bend](margins), labels, rng.integers(0, n // 2, n), seed=1)


@pytest.mark.parametrize("kind", BENT)
def test_kind_is_the_simplest_that_undoes_what_was_done(kind: Kind) -> None:
    found = choose(kind)
    assert found.calibration.kind == kind
    assert list(found.held_out) == ["none", "shift", "beta", "isotonic"]
    assert found.reason.startswith(f"{kind}: ")


def test_simpler_kind_wins_when_the_best_is_not_two_standard_errors_ahead() -> None:
    found = choose("none", seed=2)
    assert min(found.held_out, key=lambda kind: found.held_out[kind]) != "none"
    assert found.calibration == Calibration("none")
    assert "the simplest kind that is not clearly worse than" in found.reason


def test_step_function_is_not_asked_of_few_positives() -> None:
    found = choose("isotonic", n=2000)
    assert list(found.held_out) == ["none", "shift", "beta"]


def test_held_out_loss_is_that_of_fits_without_the_users() -> None:
    # Every user has one row of each class, alike in all: held out or not, the shift is the same.
    margins, labels = np.tile([0.0, 0.0], 60), np.tile([0, 1], 60)
    found = choose_calibration(margins + 1, labels, np.repeat(np.arange(60), 2), seed=1)
    assert found.held_out["shift"] == pytest.approx(np.log(2))
    assert found.calibration.kind == "shift"
    assert found.calibration.parameters == pytest.approx((-1,))


def test_loss_is_held_out_by_user_not_by_row() -> None:
    # The margin names the user, whose rows are alike: a curve that has seen a user knows them.
    rng = np.random.default_rng(3)
    margins, labels = np.repeat(rng.normal(0, 1, 200), 10), np.repeat(rng.integers(0, 2, 200), 10)
    by_user = choose_calibration(margins, labels, np.repeat(np.arange(200), 10), seed=1)
    by_row = choose_calibration(margins, labels, np.arange(2000), seed=1)
    assert by_row.held_out["isotonic"] < by_user.held_out["isotonic"] - 0.01


def test_chosen_calibration_is_fitted_on_all_rows() -> None:
    rng = np.random.default_rng(5)
    margins = rng.normal(-1, 1, 3000)
    labels = (rng.random(3000) < expit(margins - 2)).astype(int)
    found = choose_calibration(margins, labels, np.arange(3000), seed=1)
    assert found.calibration == fit_calibration("shift", margins, labels)


def rows_of_few(n_positive: int, margin: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    labels = np.array([1] * n_positive + [0] * 400)
    return np.full(len(labels), margin), labels, np.arange(len(labels))


def test_few_positives_get_no_curve() -> None:
    found = choose_calibration(*rows_of_few(MIN_POSITIVES - 1, 3.0), seed=1)
    assert found.calibration.kind == "shift"
    assert list(found.held_out) == ["none", "shift"]
    assert f"a curve needs {MIN_POSITIVES}" in found.reason
    assert "beta" in choose_calibration(*rows_of_few(MIN_POSITIVES, 3.0), seed=1).held_out


def test_few_positives_are_shifted_only_when_that_is_two_standard_errors_better() -> None:
    # The rate is 30 of 430; at the margins' 11 % the shift is better by 1.3 standard errors.
    margin = float(np.log(0.105 / 0.895))
    margins, labels, users = rows_of_few(30, margin)
    found = choose_calibration(margins, labels, users, seed=1)
    assert found.held_out["shift"] < found.held_out["none"]
    assert found.calibration.kind == "none"
    many = choose_calibration(np.tile(margins, 4), np.tile(labels, 4), np.arange(4 * 430), seed=1)
    assert many.calibration.kind == "shift"


@pytest.mark.parametrize("labels", [[0, 0, 0, 0], [1, 0, 0, 0], [1, 1, 1, 1], [1, 1, 1, 0]])
def test_nothing_is_chosen_from_when_one_user_or_none_shows_a_class(labels: list[int]) -> None:
    found = choose_calibration(np.arange(4.0), np.array(labels), np.arange(4), seed=1)
    assert (found.calibration, found.held_out) == (Calibration("none"), {})
    assert "it takes 2 users with each outcome" in found.reason


@given(
    users=st.lists(st.sampled_from([(1, 0), (1, 1), (0, 1)]), min_size=2, max_size=40),
    seed=st.integers(0, 9),
)
def test_no_fold_holds_all_users_of_a_class(users: list[tuple[int, int]], seed: int) -> None:
    is_negative, is_positive = np.array(users, dtype=bool).T
    n_folds = min(5, is_negative.sum(), is_positive.sum())
    if n_folds < 2:
        return
    folds = _folds(is_negative, is_positive, n_folds, seed)
    assert set(folds) == set(range(n_folds))
    for fold in range(n_folds):
        assert is_negative[folds != fold].any()
        assert is_positive[folds != fold].any()


def test_rows_without_a_user_are_refused() -> None:
    with pytest.raises(ValueError, match="expected as many of each"):
        choose_calibration(np.zeros(2), np.zeros(2), np.zeros(1), seed=1)
