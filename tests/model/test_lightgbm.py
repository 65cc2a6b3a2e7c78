"""The traps of distributed LightGBM, each closed, and parity with LightGBM's own library."""

from __future__ import annotations

import re
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
import pytest
from pyspark.ml.feature import VectorAssembler
from pyspark.ml.functions import vector_to_array
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from churn_spark.config import Config
from churn_spark.models.encoding import Encoding
from churn_spark.models.estimators import fit_lightgbm
from churn_spark.models.training import collect_bounded, train_lightgbm, train_logistic_regression

FEATURES = ("signal", "noise", "place")
ENCODING = Encoding(FEATURES, {"place": tuple(f"p{n}" for n in range(40))}, {}, "test")


def planted_rows(seed: int = 1, n: int = 2000) -> pd.DataFrame:
    """Rows whose chance of a 1 depends on `signal`; some values are missing."""
    rng = np.random.default_rng(seed)
    signal = rng.normal(size=n)
    label = rng.random(n) < 1 / (1 + np.exp(2.5 - 2 * signal))
    return pd.DataFrame(
        {
            "as_of": pd.Timestamp("2018-11-05").date(),
            "user_id": [f"u{i}" for i in range(n)],
            "label": label.astype("int32"),
            "split": rng.choice(["train", "stopping", "validation"], n, p=[0.64, 0.16, 0.2]),
            "signal": signal,
            "noise": np.where(rng.random(n) < 0.1, np.nan, rng.normal(size=n)),
            "place": rng.integers(0, 41, n).astype(float),
        }
    )


@pytest.fixture(scope="module")
def rows(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> DataFrame:
    """The planted rows, read back from storage as in a real training."""
    path = str(tmp_path_factory.mktemp("rows"))
    spark.createDataFrame(planted_rows()).write.mode("overwrite").parquet(path)
    return spark.read.parquet(path)


def margins_in_spark(model: Any, rows: DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """The matrix of the rows and SynapseML's margin of each."""
    assembler = VectorAssembler(
        inputCols=list(FEATURES), outputCol="features", handleInvalid="keep"
    )
    scored = model.transform(assembler.transform(rows)).select(
        *FEATURES, vector_to_array(F.col("rawPrediction"))[1].alias("margin")
    )
    frame = scored.toPandas()
    return frame[list(FEATURES)].to_numpy(), frame["margin"].to_numpy()


def fit(rows: DataFrame, config: Config, **changes: Any) -> Any:
    settings = {"rounds": 200, "class_weight": 4.0} | changes
    return fit_lightgbm(rows, ENCODING, config.lightgbm, 7, **settings)


@pytest.fixture(scope="module")
def stopped_early(rows: DataFrame) -> Any:
    """A model that early stopping has ended before its last round."""
    from churn_spark.config import load_config

    config = load_config(overrides=["lightgbm.early_stopping_rounds=10"])
    flagged = rows.withColumn("is_stopping", F.col("split") == "stopping")
    return fit(flagged, config, stop_on="is_stopping")


def test_transform_equals_python_lightgbm_when_stopped_early(
    stopped_early: Any, rows: DataFrame
) -> None:
    booster = lightgbm.Booster(model_str=stopped_early.getNativeModel())
    assert 1 < booster.num_trees() < 200
    matrix, margins = margins_in_spark(stopped_early, rows)
    assert np.abs(booster.predict(matrix, raw_score=True) - margins).max() <= 1e-12


def test_transform_equals_python_lightgbm_when_all_rounds_are_grown(
    rows: DataFrame, config: Config
) -> None:
    model = fit(rows, config, rounds=30)
    booster = lightgbm.Booster(model_str=model.getNativeModel())
    assert booster.num_trees() == 30
    matrix, margins = margins_in_spark(model, rows)
    assert np.abs(booster.predict(matrix, raw_score=True) - margins).max() <= 1e-12


def test_class_weight_reaches_lightgbm_once(rows: DataFrame, config: Config) -> None:
    text = fit(rows, config, rounds=3, class_weight=5.25).getNativeModel()
    assert "[scale_pos_weight: 5.25]" in text
    assert "[is_unbalance: 0]" in text


def test_categories_are_split_as_categories(rows: DataFrame, config: Config) -> None:
    text = fit(rows, config, rounds=3).getNativeModel()
    assert re.search(r"\[categorical_feature: 2\]", text)


def test_a_fit_is_not_touched_by_the_fit_before(rows: DataFrame, config: Config) -> None:
    alone = fit(rows, config, rounds=5).getNativeModel()
    fit(rows.withColumn("signal", -F.col("signal")).limit(500), config, rounds=5)
    again = fit(rows, config, rounds=5).getNativeModel()
    assert again == alone


def test_trees_are_the_same_when_rows_come_in_other_partitions(
    rows: DataFrame, config: Config
) -> None:
    once = train_lightgbm(rows, ENCODING, config.lightgbm, 7)
    again = train_lightgbm(rows.repartition(7), ENCODING, config.lightgbm, 7)
    assert again.native_text == once.native_text


def test_shap_values_add_up_to_the_margin(stopped_early: Any, rows: DataFrame) -> None:
    booster = lightgbm.Booster(model_str=stopped_early.getNativeModel())
    matrix = rows.toPandas()[list(FEATURES)].to_numpy()
    contributions = np.asarray(booster.predict(matrix, pred_contrib=True))
    margins = booster.predict(matrix, raw_score=True)
    assert contributions.sum(axis=1) == pytest.approx(margins, abs=1e-9)


def test_both_families_find_a_planted_signal_and_its_probabilities(
    rows: DataFrame, config: Config
) -> None:
    trees = train_lightgbm(rows, ENCODING, config.lightgbm, 7).judged
    logistic = train_logistic_regression(rows, ENCODING, config.logistic_regression).judged
    for judged in (trees, logistic):
        assert judged.metrics.roc_auc > 0.8
        mean = judged.rows["churn_probability"].mean()
        assert mean == pytest.approx(judged.rows["label"].mean(), abs=0.05)


def test_no_family_finds_anything_in_shuffled_labels(spark: SparkSession, config: Config) -> None:
    frame = planted_rows(n=4000)
    frame["label"] = np.random.default_rng(3).permutation(frame["label"])
    shuffled = spark.createDataFrame(frame)
    trees = train_lightgbm(shuffled, ENCODING, config.lightgbm, 7).judged
    logistic = train_logistic_regression(shuffled, ENCODING, config.logistic_regression).judged
    for judged in (trees, logistic):
        assert abs(judged.metrics.roc_auc - 0.5) < 0.12


def test_validation_users_are_in_no_fit(
    spark: SparkSession, rows: DataFrame, config: Config
) -> None:
    spoiled = rows.withColumn(
        "label", F.when(F.col("split") == "validation", 0).otherwise(F.col("label"))
    )
    trees = train_lightgbm(rows, ENCODING, config.lightgbm, 7)
    other = train_lightgbm(spoiled, ENCODING, config.lightgbm, 7)
    assert other.native_text == trees.native_text


def test_collected_rows_are_a_fixed_sample_of_users_when_there_are_too_many(
    rows: DataFrame,
) -> None:
    sample = collect_bounded(rows, 100)
    again = collect_bounded(rows.repartition(5), 100)
    assert len(sample) == 100
    assert list(sample["user_id"]) == list(again["user_id"])
