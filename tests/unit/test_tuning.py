"""Folds that are other users on later dates, and a choice that luck alone can't make."""

from __future__ import annotations

from datetime import date, timedelta
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from churn_spark.config import load_config
from churn_spark.models.learnt_rows import LearntRows
from churn_spark.models.rounds import round_grid
from churn_spark.models.search.tuning import (
    Candidate,
    FoldResult,
    TrialResult,
    choose_parameters,
    paired_gain,
    sum_up,
)
from churn_spark.models.splits import STOPPING
from churn_spark.pipeline.training_data import TrainingData
from churn_spark.pipeline.tune_trials import rounds_of

MONDAYS = [date(2018, 10, 1) + timedelta(weeks=week) for week in range(8)]


@pytest.mark.parametrize(
    ("n_cancel", "of_who_cancels", "is_chance"),
    [(49, 0.3, True), (50, 0.3, False), (49, 0.01, False)],
)
def test_trials_are_judged_at_numbers_of_trees_that_a_training_would_choose(
    n_cancel: int, of_who_cancels: float, is_chance: bool
) -> None:
    """A forecast that says the contrary is none that trees add to."""
    config = load_config().learning
    rows = pd.DataFrame(
        {
            "as_of": MONDAYS[0],
            "user_id": [f"u{number}" for number in range(300)],
            "label": [*[1] * n_cancel, *[0] * (300 - n_cancel)],
            "split": STOPPING,
            "behaviour_probability": [*[of_who_cancels] * n_cancel, *[0.1] * (300 - n_cancel)],
        }
    )
    learnt = LearntRows.of_frame(rows, cast(SparkSession, None))
    data = cast(TrainingData, SimpleNamespace(learnt=learnt, behaviour=object(), fading=None))
    least, most = config.lightgbm.min_rounds, config.lightgbm.max_rounds
    expected = [least] if is_chance else round_grid(least, most)
    assert rounds_of(data, config.lightgbm, config) == expected


def test_rounds_are_those_with_the_least_loss_over_all_folds() -> None:
    """The first fold alone would take 10 trees; its few rows count as few."""
    first = FoldResult(np.array([[1.0, 1.0], [2.0, 2.0]]), np.array([2, 2]), np.array([0.5, 0.7]))
    second = FoldResult(
        np.array([[50.0, 50.0], [30.0, 20.0]]), np.array([60, 40]), np.array([0.6, 0.8])
    )
    found = sum_up([first, second], [10, 20])
    assert found == TrialResult(20, 54 / 104, 0.75, (2.0, 2.0, 30.0, 20.0))
    assert sum_up([first], [10, 20]).rounds == 10


def result(*group_losses: float) -> TrialResult:
    """Of groups of ten rows each."""
    return TrialResult(20, sum(group_losses) / (10 * len(group_losses)), 0.7, group_losses)


def candidate(number: int, *group_losses: float, present: bool = False) -> Candidate:
    return Candidate(number, {"num_leaves": 7}, present, result(*group_losses))


GROUPS = st.lists(st.tuples(st.floats(0, 9), st.floats(0, 9)), min_size=2, max_size=20)


@given(GROUPS)
def test_error_is_that_of_a_mean_when_groups_are_equal(pairs: list[tuple[float, float]]) -> None:
    ours, theirs = np.array(pairs).T
    gain, error = paired_gain(result(*ours), result(*theirs), np.full(len(pairs), 10))
    by_group = (theirs - ours) / 10
    assert gain == pytest.approx(by_group.mean(), abs=1e-12)
    expected = by_group.std(ddof=1) / np.sqrt(len(pairs))
    assert error == pytest.approx(expected, abs=1e-12)


@given(GROUPS)
def test_gain_changes_its_sign_with_the_sides(pairs: list[tuple[float, float]]) -> None:
    ours, theirs = (result(*losses) for losses in np.array(pairs).T)
    n_rows = np.arange(1, len(pairs) + 1)
    gain, error = paired_gain(ours, theirs, n_rows)
    assert paired_gain(theirs, ours, n_rows) == pytest.approx((-gain, error), abs=1e-12)


def test_error_is_that_of_drawing_users_again_when_groups_differ() -> None:
    rng = np.random.default_rng(3)
    n_rows = rng.integers(5, 30, 100)
    gains = rng.normal(0.02, 0.3, 100) * np.sqrt(n_rows)
    ours, theirs = result(*np.zeros(100)), result(*gains)
    _, error = paired_gain(ours, theirs, n_rows)
    drawn = rng.integers(0, 100, (4000, 100))
    means = gains[drawn].sum(axis=1) / n_rows[drawn].sum(axis=1)
    assert error == pytest.approx(means.std(), rel=0.05)


def test_one_group_tells_no_error() -> None:
    assert paired_gain(result(1.0), result(2.0), np.array([10])) == (0.1, np.inf)


def choose(*candidates: Candidate) -> Any:
    n_groups = len(candidates[0].result.group_losses)
    return choose_parameters(candidates, np.full(n_groups, 10))


def test_better_trial_is_chosen_when_all_groups_gain() -> None:
    chosen = choose(
        candidate(0, 3.0, 3.1, 2.9, present=True),
        candidate(1, 2.9, 3.0, 2.8),
        candidate(2, 2.5, 2.7, 2.4),
        candidate(3, 2.8, 2.9, 2.7),
    )
    assert (chosen.candidate.number, chosen.candidate.is_present) == (2, False)
    assert chosen.reason.startswith("trial 2 loses 4.67e-02 nats a row less than the present")


def test_present_parameters_stay_when_one_lucky_group_makes_the_gain() -> None:
    chosen = choose(candidate(0, 3.0, 3.0, 3.0, present=True), candidate(1, 1.0, 3.1, 3.1))
    assert chosen.candidate.number == 0
    assert "trial 1 loses 6.00e-02 nats a row less" in chosen.reason
    assert "one standard error is 7.00e-02" in chosen.reason


def test_present_parameters_stay_when_nothing_loses_less() -> None:
    chosen = choose(
        candidate(1, 3.0, 3.0), candidate(5, 3.0, 3.0, present=True), candidate(2, 4, 4)
    )
    assert chosen.candidate.number == 5
    assert chosen.reason == "none of 3 trials loses less than the present"


def test_choice_without_the_present_parameters_is_refused() -> None:
    with pytest.raises(ValueError, match="found 0 trials of the present parameters"):
        choose(candidate(1, 3.0, 3.0))
