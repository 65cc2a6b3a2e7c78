"""The traps of distributed LightGBM, each closed, and what a training promises of its rows."""

from __future__ import annotations

import re
from typing import Any

import lightgbm
import numpy as np
import pytest
from model_builders import ENCODING, FEATURES, planted_rows
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from churn_spark.config import Config
from churn_spark.evaluation.evaluation import Evaluation
from churn_spark.lakehouse.frames import sample_rows
from churn_spark.models.estimators import TreePlan, fit_trees
from churn_spark.models.learnt_rows import LearntRows
from churn_spark.models.offset import Offset
from churn_spark.models.training import FittedTrees, train_logistic_regression, train_trees
from churn_spark.runtime.spark_lines import choose_engine


@pytest.fixture(scope="module")
def rows(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> DataFrame:
    """The planted rows, read back from storage as in a real training."""
    path = str(tmp_path_factory.mktemp("rows"))
    spark.createDataFrame(planted_rows()).write.mode("overwrite").parquet(path)
    return spark.read.parquet(path)


def fit(rows: DataFrame, config: Config, **changes: Any) -> str:
    plan = TreePlan(
        **{"rounds": 5, "class_weight": 4.0, "seed": 7, "offset": Offset.at(None, 0.2)} | changes
    )
    return fit_trees(LearntRows.of(rows), ENCODING, config.lightgbm, plan, choose_engine("auto"))


def train(rows: DataFrame, config: Config) -> FittedTrees:
    return train_trees(LearntRows.of(rows), ENCODING, config.lightgbm, [], 7)


def train_logistic(rows: DataFrame, config: Config) -> Evaluation:
    learnt = LearntRows.of(rows)
    return train_logistic_regression(learnt, ENCODING, config.logistic_regression, []).evaluation


def test_every_round_that_was_asked_for_is_in_the_text(rows: DataFrame, config: Config) -> None:
    text = fit(rows, config, rounds=30)
    assert lightgbm.Booster(model_str=text).num_trees() == 30


def test_class_weight_reaches_lightgbm_once(rows: DataFrame, config: Config) -> None:
    text = fit(rows, config, class_weight=5.25)
    assert "[scale_pos_weight: 5.25]" in text
    assert "[is_unbalance: 0]" in text


def test_categories_are_split_as_categories(rows: DataFrame, config: Config) -> None:
    assert re.search(r"\[categorical_feature: 2\]", fit(rows, config))


def test_a_fit_is_not_touched_by_the_fit_before(rows: DataFrame, config: Config) -> None:
    alone = fit(rows, config)
    other = rows.withColumn("signal", -F.col("signal")).limit(500)
    fit(other, config, offset=Offset.at("stated", 0.1))
    assert fit(rows, config) == alone


def test_trees_are_the_same_when_rows_come_in_other_partitions(
    rows: DataFrame, config: Config
) -> None:
    assert train(rows.repartition(7), config).native_text == train(rows, config).native_text


def test_shap_values_add_up_to_the_margin(rows: DataFrame, config: Config) -> None:
    booster = lightgbm.Booster(model_str=fit(rows, config, rounds=30))
    matrix = planted_rows()[list(FEATURES)].to_numpy()
    contributions = np.asarray(booster.predict(matrix, pred_contrib=True))
    margins = booster.predict(matrix, raw_score=True)
    assert contributions.sum(axis=1) == pytest.approx(margins, abs=1e-9)


def test_both_families_find_a_planted_signal_and_its_probabilities(
    rows: DataFrame, config: Config
) -> None:
    trees = train(rows, config).evaluation
    logistic = train_logistic(rows, config)
    for found in (trees, logistic):
        assert found.metrics.roc_auc > 0.8
        mean = found.rows["churn_probability"].mean()
        assert mean == pytest.approx(found.rows["label"].mean(), abs=0.05)


def test_no_family_finds_anything_in_shuffled_labels(spark: SparkSession, config: Config) -> None:
    frame = planted_rows(n=4000)
    frame["label"] = np.random.default_rng(3).permutation(frame["label"])
    shuffled = spark.createDataFrame(frame)
    trees = train(shuffled, config).evaluation
    logistic = train_logistic(shuffled, config)
    for found in (trees, logistic):
        assert abs(found.metrics.roc_auc - 0.5) < 0.12


def test_validation_users_are_in_no_fit(rows: DataFrame, config: Config) -> None:
    spoiled = rows.withColumn(
        "label", F.when(F.col("split") == "validation", 0).otherwise(F.col("label"))
    )
    assert train(spoiled, config).native_text == train(rows, config).native_text


def test_collected_rows_are_a_fixed_sample_of_users_when_there_are_too_many(
    rows: DataFrame,
) -> None:
    sample = sample_rows(rows, 100)
    again = sample_rows(rows.repartition(5), 100)
    assert len(sample) == 100
    assert list(sample["user_id"]) == list(again["user_id"])
