"""A search on planted rows: killed and resumed, then right about what is better."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow.entities import Run
from pyspark.sql import DataFrame, SparkSession

from churn_spark.config import load_config
from churn_spark.contracts.features.segments import SEGMENT_COLUMNS
from churn_spark.contracts.tables import EVENTS
from churn_spark.errors import TooFewCancelsError
from churn_spark.evaluation.date_split import DateSplit, split_dates
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.models.encoding import Encoding
from churn_spark.models.learnt_rows import LearntRows
from churn_spark.models.registry import ModelRegistry
from churn_spark.models.search.folds import build_folds, hash_rows
from churn_spark.models.search.search import candidates_of, open_study
from churn_spark.models.search.studies import storage_url
from churn_spark.models.splits import VALIDATION
from churn_spark.pipeline import tune_trials
from churn_spark.pipeline.context import JobContext
from churn_spark.pipeline.dates import LogDates
from churn_spark.pipeline.training_data import TrainingData
from churn_spark.pipeline.tune import tune as tune_on
from churn_spark.pipeline.tune_trials import present_parameters, study_name
from churn_spark.timeline import LogSpan
from tests import oracle_users

DATES = [date(2018, 10, 1) + timedelta(weeks=week) for week in range(5)]
NIGHT = date(2018, 11, 20)
LOG = LogDates(LogSpan(date(2018, 10, 1), NIGHT), NIGHT)
FEATURES = ("songs_14d", "thumbs_down_7d", "os")
ENCODING = Encoding(FEATURES, {"os": ("Windows", "macOS")}, dict.fromkeys(FEATURES, 0.0), "planted")


def planted_rows(n_users: int = 400) -> pd.DataFrame:
    """Rows whose chance of a 1 depends on one feature, on every date alike."""
    rng = np.random.default_rng(1)
    n = n_users * len(DATES)
    users = [f"u{user}" for user in range(n_users)] * len(DATES)
    signal = rng.normal(size=n)
    buckets = (oracle_users.bucket(user, 7) for user in users)
    return pd.DataFrame(
        {
            "as_of": np.repeat(DATES, n_users),
            "user_id": users,
            "label": (rng.random(n) < 1 / (1 + np.exp(1.5 - 2 * signal))).astype("int32"),
            "split": [oracle_users.split(bucket, 0.2, 0.2) for bucket in buckets],
            "songs_14d": signal,
            "thumbs_down_7d": rng.normal(size=n),
            "os": rng.integers(0, 3, n).astype(float),
            **dict.fromkeys(SEGMENT_COLUMNS, "one"),
        }
    )


@pytest.fixture(scope="module")
def rows(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> DataFrame:
    """The planted rows, read back from storage as in a real search."""
    path = str(tmp_path_factory.mktemp("rows"))
    spark.createDataFrame(planted_rows()).write.mode("overwrite").parquet(path)
    return spark.read.parquet(path)


Tune = Callable[..., tuple[JobContext, Any, list[str]]]


@pytest.fixture
def tune(spark: SparkSession, rows: DataFrame) -> Tune:
    """A function that searches in a lakehouse and gives the context, the choice and the facts."""
    counts = {"train": 1000, "stopping": 300, "validation": 300}
    learnt = LearntRows.of(rows)
    prepared = TrainingData(learnt, learnt, learnt, ENCODING, None, None, counts, counts, LOG)

    def run(folder: Path, *overrides: str) -> tuple[JobContext, Any, list[str]]:
        small = ("lightgbm.engine=lightgbm", "lightgbm.max_rounds=30", "tuning.n_folds=2")
        config = load_config(overrides=[f"lakehouse={folder}", *small, *overrides])
        context = JobContext(config, Lakehouse(spark, config.lakehouse))
        # A training notes of which events it is.
        context.lakehouse.create(EVENTS)
        dates = split_dates(DATES, config.labels.horizon, config.tuning.n_dates)
        found = tune_on(
            context.lakehouse,
            context.registry,
            NIGHT,
            prepared,
            dates,
            config.learning,
            config.tuning,
        )
        return context, *found

    return run


def study_of(context: JobContext, rows: DataFrame) -> Any:
    learnt = LearntRows.of(rows)
    prepared = TrainingData(learnt, learnt, learnt, ENCODING, None, None, {}, {}, LOG)
    dates = split_dates(DATES, context.config.labels.horizon, context.config.tuning.n_dates)
    url = storage_url(context.config.tuning, context.config.lakehouse)
    config = context.config
    name = study_name(prepared, dates, config.learning, config.tuning)
    return open_study(url, name, present_parameters(config.lightgbm, config.tuning))


def runs_of(context: JobContext) -> list[Run]:
    ModelRegistry(context.config.registry, context.config.lakehouse)
    client = mlflow.MlflowClient()
    experiment = client.get_experiment_by_name(context.config.registry.experiment)
    assert experiment is not None
    return list(client.search_runs([experiment.experiment_id]))


@pytest.mark.slow
def test_search_killed_in_its_third_trial_ends_as_one_that_was_not(
    tune: Tune, rows: DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context, whole, _ = tune(tmp_path / "whole", "tuning.n_trials=3")
    judge, n_calls = tune_trials.evaluate_fold, iter(range(100))

    def killing(*arguments: Any) -> Any:
        if next(n_calls) == 5:
            raise KeyboardInterrupt
        return judge(*arguments)

    monkeypatch.setattr(tune_trials, "evaluate_fold", killing)
    with pytest.raises(KeyboardInterrupt):
        tune(tmp_path / "killed", "tuning.n_trials=3")
    resumed_context, resumed, facts = tune(tmp_path / "killed", "tuning.n_trials=3")
    # Four fits, one begun in vain and two for it: nothing was tried twice.
    assert next(n_calls) == 8
    found, expected = (
        [(c.parameters, c.is_present, c.result) for c in candidates_of(study_of(made, rows))]
        for made in (resumed_context, context)
    )
    assert found == expected
    assert len(found) == 3
    assert resumed.candidate.parameters == whole.candidate.parameters
    assert facts[0] == "3 trials"


@pytest.mark.slow
def test_better_parameters_become_a_challenger_trained_with_them(
    tune: Tune, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """So slow a learning rate learns next to nothing in thirty trees."""
    slow = ("tuning.n_trials=4", "lightgbm.learning_rate=0.0001", "tuning.lambda_l2=[1, 5]")
    context, choice, facts = tune(tmp_path, *slow)
    assert not choice.candidate.is_present
    assert choice.candidate.parameters["learning_rate"] > 0.001
    assert facts[-1].endswith("version 1 is champion, the model in use")
    rate = choice.candidate.parameters["learning_rate"]
    assert f"--set lightgbm.learning_rate={rate}" in facts[-2]
    (trained,) = (run for run in runs_of(context) if run.info.run_name == "lightgbm")
    for name, value in choice.candidate.parameters.items():
        assert float(trained.data.params[name]) == value
    (search,) = (run for run in runs_of(context) if run.info.run_name == "tune_model")
    trials = [run for run in runs_of(context) if run.info.run_name.startswith("trial ")]
    assert [run.data.tags["mlflow.parentRunId"] for run in trials] == [search.info.run_id] * 4
    (present,) = (run.data for run in trials if run.info.run_name == "trial 0")
    assert float(present.params["learning_rate"]) == 0.0001
    expected = {"fold_log_loss", "fold_roc_auc", "log_loss", "roc_auc", "rounds"}
    assert set(present.metrics) == expected
    kept = mlflow.artifacts.list_artifacts(run_id=search.info.run_id)
    assert [file.path for file in kept] == ["trials.csv"]
    kept = mlflow.artifacts.list_artifacts(run_id=trials[0].info.run_id)
    assert [file.path for file in kept] == ["folds.json"]
    assert search.data.tags["reason"] == choice.reason == facts[1]
    assert search.data.tags["date"] == str(NIGHT)
    printed = capsys.readouterr().out
    _, same, facts = tune(tmp_path, *slow)
    assert (same, facts[-1]) == (choice, "it is version 1 already")
    assert "What mattered" in printed
    assert "learning_rate" in printed


def test_folds_learn_from_other_users_and_earlier_dates_and_spare_the_validation(
    rows: DataFrame,
) -> None:
    training = load_config().training
    dates = DateSplit(tuple(DATES[:2]), tuple(DATES[4:]))
    folds = build_folds(rows, dates, 3, training)
    seen: set[str] = set()
    for number, fold in enumerate(folds):
        learnt, judged = fold.train.take(10_000), fold.test
        assert set(learnt["as_of"]) == set(dates.train)
        assert set(judged["as_of"]) == set(dates.test)
        assert not set(learnt["user_id"]) & set(judged["user_id"])
        assert VALIDATION not in set(learnt["split"]) | set(judged["split"])
        buckets = [oracle_users.bucket(user, 7) for user in judged["user_id"]]
        places = {oracle_users.fold(bucket, 0.2, 3) for bucket in buckets}
        assert places == {number}
        assert fold.n_rows.sum() == len(judged)
        seen |= set(judged["user_id"])
    frame = planted_rows()
    assert seen == set(frame.loc[frame["split"] != VALIDATION, "user_id"])


def test_folds_without_a_cancellation_are_refused(rows: DataFrame) -> None:
    dates = DateSplit(tuple(DATES[:2]), tuple(DATES[4:]))
    nobody = rows.withColumn("label", rows["label"] * 0)
    with pytest.raises(TooFewCancelsError, match="found 0 cancellations to train on and 0"):
        build_folds(nobody, dates, 2, load_config().training)


def test_rows_hash_alike_in_any_order_and_not_when_one_differs(rows: DataFrame) -> None:
    same = hash_rows(rows.repartition(5).sortWithinPartitions("songs_14d"))
    assert same == hash_rows(rows)
    assert hash_rows(rows.withColumn("label", 1 - rows["label"])) != hash_rows(rows)
