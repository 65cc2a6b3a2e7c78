"""The trees of which the right number is chosen: not all of them are always grown."""

from __future__ import annotations

from typing import cast

import numpy as np
import pandas as pd
import pytest
from model_builders import ENCODING, planted_rows
from pyspark.sql import SparkSession

from churn_spark.config import LightGBMConfig, load_config
from churn_spark.models import training as module
from churn_spark.models.encoding import Encoding
from churn_spark.models.estimators import TreePlan, fit_trees
from churn_spark.models.learnt_rows import LearntRows
from churn_spark.models.training import FittedTrees, train_trees

GROWN_AT_ONCE = 64


@pytest.fixture
def grown(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Numbers of trees that a training grows, one after the other."""
    found: list[int] = []

    def fit(
        rows: LearntRows, encoding: Encoding, config: LightGBMConfig, plan: TreePlan, engine: str
    ) -> str:
        found.append(plan.rounds)
        return fit_trees(rows, encoding, config, plan, engine)

    monkeypatch.setattr(module, "fit_trees", fit)
    return found


def rows_that_forecasts_know() -> pd.DataFrame:
    """Rows whose true chance is stated: trees can only follow chance."""
    rows = planted_rows(n=8000)
    return rows.assign(stated=1 / (1 + np.exp(2.5 - 2 * rows["signal"])))


def train(rows: pd.DataFrame, *overrides: str, starts_from: str = "stated") -> FittedTrees:
    config = load_config(overrides=["lightgbm.engine=lightgbm", *overrides]).lightgbm
    learnt = LearntRows.of_frame(rows, cast(SparkSession, None))
    return train_trees(learnt, ENCODING, config, [starts_from] if starts_from else [], 7)


def test_few_are_grown_where_more_bring_nothing(grown: list[int]) -> None:
    fitted = train(rows_that_forecasts_know())
    assert fitted.rounds.best < GROWN_AT_ONCE / 3
    assert grown == [GROWN_AT_ONCE, fitted.rounds.rounds]


def test_more_are_grown_as_long_as_they_bring_something(grown: list[int]) -> None:
    fitted = train(planted_rows(), "lightgbm.learning_rate=0.01")
    assert fitted.rounds.best > 201 / 3
    assert grown == [GROWN_AT_ONCE, 201, 400, fitted.rounds.rounds]


def test_all_are_grown_at_once_where_no_forecast_holds(grown: list[int]) -> None:
    fitted = train(rows_that_forecasts_know(), starts_from="")
    assert grown == [400, fitted.rounds.rounds]


def test_model_is_the_one_of_all_trees(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first trees are the same, however many follow."""
    rows = rows_that_forecasts_know()
    in_steps = train(rows)
    monkeypatch.setattr(module, "numbers_to_grow", lambda grid: grid[-1:])
    at_once = train(rows)
    assert in_steps.native_text == at_once.native_text
    assert in_steps.rounds == at_once.rounds
    assert in_steps.calibration == at_once.calibration
