"""A training is refused when it would learn from a handful of cancellations."""

from __future__ import annotations

import math
from datetime import date
from typing import cast

import pytest
from model_builders import ENCODING, planted_rows
from pyspark.sql import SparkSession

from churn_spark.config import TrainingConfig, load_config
from churn_spark.errors import TooFewCancelsError
from churn_spark.models.learnt_rows import LearntRows
from churn_spark.models.training import train_trees
from churn_spark.models.training_rows import check_enough_cancels

ROWS = {"train": 700, "stopping": 100, "validation": 200}


@pytest.fixture
def training() -> TrainingConfig:
    return load_config(
        overrides=["training.min_cancels=20", "training.min_validation_cancels=3"]
    ).training


def test_training_may_go_on_when_the_least_numbers_are_reached(training: TrainingConfig) -> None:
    check_enough_cancels({"train": 15, "stopping": 5, "validation": 3}, ROWS, training)


@pytest.mark.parametrize(
    "positives",
    [
        {"train": 15, "stopping": 4, "validation": 300},
        {"train": 300, "stopping": 5, "validation": 2},
        {"train": 300, "stopping": 5},
        {"validation": 300},
        {},
    ],
)
def test_training_is_refused_when_a_part_has_too_few(
    positives: dict[str, int], training: TrainingConfig
) -> None:
    with pytest.raises(TooFewCancelsError):
        check_enough_cancels(positives, ROWS, training)


def test_refusal_says_what_was_found_and_what_to_do(training: TrainingConfig) -> None:
    rows = {"train": 12_000, "stopping": 145, "validation": 200}
    with pytest.raises(TooFewCancelsError) as caught:
        check_enough_cancels({"train": 4, "stopping": 1, "validation": 2}, rows, training)
    assert str(caught.value) == (
        "too few cancellations: 5 to train on and 2 to validate on among 12,345 rows with a known "
        "outcome, at least 20 and 3 are needed. Load more of the log, choose a later date, or "
        "lower "
        "training.min_cancels and training.min_validation_cancels"
    )


def test_training_is_refused_when_only_stopping_users_cancel(training: TrainingConfig) -> None:
    """As one user of many weeks may: no tree can be grown."""
    check_enough_cancels({"train": 1, "stopping": 24, "validation": 3}, ROWS, training)
    with pytest.raises(TooFewCancelsError, match="all 25 to train on are of users who decide"):
        check_enough_cancels({"stopping": 25, "validation": 3}, ROWS, training)


def test_training_is_refused_without_any_stopping_user(training: TrainingConfig) -> None:
    """As a log of a few dozen users may be: nobody tells how many trees to grow."""
    positives = {"train": 25, "validation": 3}
    check_enough_cancels(positives, {"train": 30, "stopping": 1, "validation": 5}, training)
    with pytest.raises(TooFewCancelsError, match="none of the 35 rows with a known outcome is of"):
        check_enough_cancels(positives, {"train": 30, "validation": 5}, training)


def test_trees_flag_somebody_though_no_stopping_user_cancels() -> None:
    rows = planted_rows()
    rows.loc[rows["split"] == "stopping", "label"] = 0
    rows.loc[rows.index % 2 == 0, "as_of"] = date(2018, 11, 12)
    learnt = LearntRows.of_frame(rows, cast(SparkSession, None))
    config = load_config(overrides=["lightgbm.engine=lightgbm"]).lightgbm
    found = train_trees(learnt, ENCODING, config, [], 7).evaluation.metrics
    assert math.isfinite(found.threshold)
    assert found.f1 > 0
