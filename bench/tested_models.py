"""Models trained on a world and compared with its truth on the newest date."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from datetime import date, timedelta
from typing import Any

import lightgbm
import numpy as np
from numpy.typing import NDArray
from pyspark.sql import SparkSession

from bench import flow
from bench.expected_metrics import ExpectedMetrics, evaluate_expected
from bench.worlds import World
from churn_spark.contracts.features.spec import model_features
from churn_spark.pipeline.backtest import choose_dates
from churn_spark.pipeline.backtest_models import BacktestResult, fit_and_predict
from churn_spark.pipeline.context import JobContext
from churn_spark.pipeline.dates import read_log_dates
from churn_spark.simulate.settings import SimulationSettings

Comparison = dict[str, ExpectedMetrics]
"""Name of a model -> its expected figures."""


def last_date(settings: SimulationSettings, horizon_days: int, gap_days: int) -> date:
    """The newest as-of date whose label the log makes known."""
    return settings.start + timedelta(days=settings.days - horizon_days - gap_days)


def test_newest(
    spark: SparkSession,
    world: World,
    settings: SimulationSettings,
    horizon: tuple[int, int],
    *overrides: str,
) -> tuple[JobContext, BacktestResult]:
    """Train on all dates that the newest one may learn from, and predict it."""
    as_of = last_date(settings, *horizon)
    context = world.context(
        spark,
        f"labels.horizon_days={horizon[0]}",
        f"labels.gap_days={horizon[1]}",
        f"training.as_of_weekday={as_of.weekday()}",
        "backtest.n_test_dates=1",
        *overrides,
    )
    learning, log = context.config.learning, read_log_dates(context.lakehouse)
    end = settings.start + timedelta(days=settings.days)
    plan = choose_dates(log, end, learning, context.config.backtest)
    flow.build_snapshots(context, {*plan.train, *plan.test})
    return context, fit_and_predict(context.lakehouse, log, plan, learning, world.truth)


def judge(tested: BacktestResult, more: dict[str, NDArray[np.float64]]) -> Comparison:
    """Expected figures of every model on the test date."""
    is_test = tested.rows["cell"].isin(["future", "both"]).to_numpy()
    scores = {name: values[is_test] for name, values in tested.probabilities.items()} | more
    return {name: evaluate_expected(scores["oracle"], values) for name, values in scores.items()}


def mean_of(comparisons: Sequence[Comparison]) -> Comparison:
    """The mean of every figure over several worlds."""
    means: Comparison = {}
    for name, first in comparisons[0].items():
        figures: dict[str, Any] = {
            field.name: float(np.mean([getattr(one[name], field.name) for one in comparisons]))
            for field in fields(ExpectedMetrics)
        }
        means[name] = replace(first, **figures)
    return means


def plain_trees(tested: BacktestResult) -> dict[str, NDArray[np.float64]]:
    """LightGBM without the behaviour model: as it comes, and carefully tuned by hand."""
    rows = tested.rows
    names = [f.name for f in model_features(["report", "activity"], use_gender=False)]
    encoding = tested.bundle.encoding.only(names)
    learnt, test = (rows[rows["cell"].isin(cells)] for cells in (["training"], ["future", "both"]))
    matrix, unseen = encoding.encode(learnt), encoding.encode(test)
    default = lightgbm.LGBMClassifier(verbosity=-1, random_state=1)
    careful = lightgbm.LGBMClassifier(
        num_leaves=7, learning_rate=0.03, min_child_samples=200, reg_lambda=10.0,
        n_estimators=200, colsample_bytree=0.5, subsample=0.8, subsample_freq=1,
        verbosity=-1, random_state=1,
    )  # fmt: skip
    found = {}
    for name, model in (("LightGBM, default", default), ("LightGBM, careful", careful)):
        model.fit(matrix, learnt["label"].to_numpy())
        found[name] = np.asarray(model.predict_proba(unseen))[:, 1]
    return found
