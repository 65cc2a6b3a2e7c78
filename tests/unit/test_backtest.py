"""Which dates a backtest learns from and tests on, and what of a row was unseen."""

from __future__ import annotations

from datetime import date, timedelta
from types import SimpleNamespace
from typing import cast

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import SparkSession

from churn_spark.config import load_config
from churn_spark.errors import OtherModelError
from churn_spark.evaluation.backtest import cell_of, measure
from churn_spark.evaluation.date_split import DateSplit
from churn_spark.evaluation.segments import tenure_band
from churn_spark.models.learnt_rows import LearntRows
from churn_spark.pipeline import backtest_models
from churn_spark.pipeline.backtest import choose_dates
from churn_spark.pipeline.backtest_models import BacktestResult
from churn_spark.pipeline.backtest_tables import (
    choose_thresholds,
    describe_population,
    main_figures,
)
from churn_spark.pipeline.dates import LogDates
from churn_spark.pipeline.training_data import TrainingData
from churn_spark.timeline import Horizon, LogSpan


def test_cells_name_what_was_unseen() -> None:
    held_out = np.array([True, True, False, False])
    test_date = np.array([True, False, True, False])
    assert list(cell_of(held_out, test_date)) == ["both", "new users", "future", "training"]


def test_backtest_learns_from_no_more_weeks_than_a_training() -> None:
    config = load_config()
    span = LogSpan(date(2023, 1, 2), date(2024, 12, 30))
    plan = choose_dates(LogDates(span, span.end), span.end, config.learning, config.backtest)
    newest = newest_learnable_monday(plan.test[0], config.labels.horizon)
    weeks = range(config.training.max_weeks)
    assert plan.train == tuple(sorted(newest - timedelta(weeks=week) for week in weeks))


def test_label_that_describes_the_past_is_no_backtest() -> None:
    config = load_config(overrides=["labels.kind=lifetime"])
    span = LogSpan(date(2023, 1, 2), date(2024, 12, 30))
    with pytest.raises(OtherModelError, match=r"found labels\.kind lifetime, expected horizon"):
        choose_dates(LogDates(span, span.end), span.end, config.learning, config.backtest)


def newest_learnable_monday(tested: date, horizon: Horizon) -> date:
    last = tested - timedelta(days=horizon.days + horizon.gap_days)
    return last - timedelta(days=last.weekday())


def test_rows_that_are_learnt_from_leave_room_for_those_that_are_tested(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    days = [date(2024, 1, 1) + timedelta(weeks=week) for week in range(9)]
    plan = DateSplit(tuple(days[:8]), (days[8],))
    users = [f"u{number}" for number in range(100)]
    keys = [(day, user) for day in days for user in users]
    rows = pd.DataFrame(keys, columns=["as_of", "user_id"]).assign(label=0)
    learnt = LearntRows.of_frame(rows, cast(SparkSession, None))
    data = cast(TrainingData, SimpleNamespace(described=learnt))
    monkeypatch.setattr(backtest_models, "MAX_ROWS", 150)
    found = backtest_models.take_rows(data, plan)
    assert {*found.loc[found["as_of"] == days[8], "user_id"]} == {*users}
    assert (found["as_of"] < days[8]).sum() == 150
    monkeypatch.setattr(backtest_models, "MAX_ROWS", 1000)
    pd.testing.assert_frame_equal(backtest_models.take_rows(data, plan), learnt.take(1000))


def test_tenure_bands_have_their_upper_ends() -> None:
    bands = tenure_band(pd.Series([0.0, 30.0, 30.1, 90.0, 91.0, np.nan]))
    assert list(bands) == [
        *["up to 30 days"] * 2,
        *["30 to 90 days"] * 2,
        "over 90 days",
        "unknown",
    ]


@pytest.fixture(scope="module")
def figures() -> pd.DataFrame:
    """Two models on 600 users, one of them knowing the chances."""
    rng = np.random.default_rng(3)
    n = 1200
    chance = rng.beta(1.0, 6.0, n)
    rows = pd.DataFrame(
        {
            "user_id": [f"u{number % 600}" for number in range(n)],
            "label": (rng.random(n) < chance).astype(int),
            "cell": rng.choice(["both", "future", "new users", "training"], n),
            "level": rng.choice(["free", "paid"], n),
            "tenure_band": "over 90 days",
            "os": rng.choice(["Windows", None], n),
            "gender": "F",
            "lightgbm": chance,
            "rule": np.full(n, 0.1),
        }
    )
    return measure(
        rows, ["lightgbm", "rule"], {"lightgbm": 0.3, "rule": 0.5}, n_replicas=60, seed=1
    )


def test_metrics_of_a_run_are_those_of_all_tested_rows(figures: pd.DataFrame) -> None:
    """With few cancels the segments are of the same cell."""
    is_main = (figures["cell"] == "test") & (figures["segment"] == "all")
    only_main = main_figures(figures[is_main])
    of_segment = figures[is_main].assign(segment="gender=F", value=0.123)
    assert main_figures(pd.concat([figures, of_segment], ignore_index=True)) == only_main
    assert only_main["lightgbm.roc_auc"] > 0.7


def test_thresholds_of_final_models_are_of_users_that_they_had_not_learnt_from() -> None:
    rows = pd.DataFrame({"split": "stopping", "cell": "training", "label": [0.0, 1.0]})
    models = ("lightgbm", "logistic_regression", "unweighted", "rule")
    fits = {
        name: SimpleNamespace(evaluation=SimpleNamespace(metrics=SimpleNamespace(threshold=at)))
        for name, at in zip(models, (0.3, 0.4, 0.5), strict=False)
    }
    tested = SimpleNamespace(
        rows=rows,
        probabilities={name: np.array([0.1, 0.9]) for name in models},
        trees=fits["lightgbm"],
        baseline=fits["logistic_regression"],
        unweighted=fits["unweighted"],
    )
    found = choose_thresholds(cast(BacktestResult, tested))
    assert {name: found[name] for name in fits} == dict(zip(fits, (0.3, 0.4, 0.5), strict=True))
    assert 0.1 < found["rule"] <= 0.9


@pytest.mark.parametrize(
    ("overrides", "end"),
    [
        ([], "who have not cancelled before it"),
        (["snapshots.audience=paid"], "; only who was paying then"),
        (["labels.churn=lapse"], "; only whose subscription ends in the window of the label"),
    ],
)
def test_population_is_told_as_it_is_configured(overrides: list[str], end: str) -> None:
    assert describe_population(load_config(overrides=overrides).learning).endswith(end)


def test_figures_cover_cells_segments_and_paired_differences(figures: pd.DataFrame) -> None:
    assert set(figures["cell"]) == {"new users", "future", "both", "test"}
    assert {"level=paid", "os=unknown", "all"} <= set(figures["segment"])
    key = (figures["cell"] == "test") & (figures["metric"] == "roc_auc")
    by_model = figures[key & (figures["segment"] == "all")].set_index(["model", "versus"])
    difference = by_model.loc[("lightgbm", "rule")]
    apart = by_model.loc[("lightgbm", "")].value - by_model.loc[("rule", "")].value
    assert difference.value == pytest.approx(apart)
    assert difference.low > 0
    assert set(figures["versus"]) == {"", "rule"}


def test_test_cell_holds_both_cells_of_the_test_dates(figures: pd.DataFrame) -> None:
    rows = figures[(figures["segment"] == "all") & (figures["metric"] == "brier")]
    n = rows[(rows["model"] == "rule")].set_index("cell")["n"]
    assert n["test"] == n["future"] + n["both"]
