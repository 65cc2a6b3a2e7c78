"""Rows collected once and rows left in Spark: the same answers on both sides of the bound."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import numpy as np
import pandas as pd
import pytest
from model_builders import ENCODING, planted_rows
from pyspark.ml import Pipeline
from pyspark.ml.classification import LogisticRegression
from pyspark.ml.feature import Imputer, OneHotEncoder, StandardScaler, VectorAssembler
from pyspark.ml.functions import vector_to_array
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from churn_spark.config import Config
from churn_spark.contracts.features.spec import FEATURES, model_features
from churn_spark.lakehouse.frames import sample_rows
from churn_spark.models import learnt_rows
from churn_spark.models.learnt_rows import LearntRows
from churn_spark.models.logistic import fit_logistic_regression
from churn_spark.models.training import train_trees
from churn_spark.models.training_rows import encode_rows, fit_encoding

Both = tuple[LearntRows, LearntRows]
DATES = [date(2018, 11, day) for day in (5, 12, 19)]


@pytest.fixture(scope="module")
def rows(spark: SparkSession) -> DataFrame:
    """Planted rows of three dates, with a text that is null for some and ties for others."""
    frames = [planted_rows(seed, 500).assign(as_of=day) for seed, day in enumerate(DATES, start=1)]
    frame = pd.concat(frames, ignore_index=True)
    frame["os"] = np.resize(["Windows", "Linux", "macOS", None], len(frame))
    return spark.createDataFrame(frame).persist()


@pytest.fixture
def both(rows: DataFrame, monkeypatch: pytest.MonkeyPatch) -> Both:
    """The rows collected, and the same where one row fewer would have been collected."""
    few = LearntRows.of(rows)
    monkeypatch.setattr(learnt_rows, "MAX_COLLECTED_ROWS", rows.count() - 1)
    many = LearntRows.of(rows)
    assert few.collected is not None
    assert many.collected is None
    return few, many


@pytest.mark.parametrize(
    "answer",
    [
        lambda rows: rows.dates,
        lambda rows: rows.n_positive,
        lambda rows: rows.base_rate,
        lambda rows: rows.by_date.to_numpy().tolist(),
        lambda rows: rows.medians(["signal", "noise", "stated"]),
        lambda rows: rows.most_frequent("os", 2),
        lambda rows: rows.where("as_of", []).n_positive,
        lambda rows: rows.in_few_partitions(["signal", "stated"], 200_000).toPandas().to_csv(),
        lambda rows: rows.take(100).to_csv(),
        lambda rows: rows.take(10_000).to_csv(),
    ],
)
@pytest.mark.parametrize("is_part", [False, True])
def test_answers_are_the_same_on_both_sides_of_the_bound(
    both: Both, answer: Callable[[LearntRows], object], is_part: bool
) -> None:
    few, many = both
    if is_part:
        few, many = (
            rows.where("as_of", DATES[1:]).where("split", ["train", "stopping"]) for rows in both
        )
    assert answer(few) == answer(many)


def test_what_rows_count_is_the_same_on_both_sides_of_the_bound(
    rows: DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    weight = F.when(F.col("signal") > 1, 0.0).when(F.col("signal") < -1, 10.0).otherwise(1.0)
    weighted = rows.withColumn("weight", weight)
    few = LearntRows.of(weighted)
    monkeypatch.setattr(learnt_rows, "MAX_COLLECTED_ROWS", rows.count() - 1)
    many = LearntRows.of(weighted)
    assert (few.collected is None, many.collected is None) == (False, True)
    answers = [
        (one.is_weighted, one.base_rate, one.counting.take(10_000).to_csv()) for one in (few, many)
    ]
    assert answers[0][0::2] == answers[1][0::2]
    assert answers[0][1] == pytest.approx(answers[1][1])
    assert few.counting.n_positive < few.n_positive


def test_median_of_what_nobody_has_is_none(both: Both) -> None:
    for rows in both:
        nobody = rows.where("split", ["nowhere"])
        assert nobody.medians(["signal"]) == {"signal": None}


def test_collected_rows_are_ordered_as_a_sample_is(rows: DataFrame) -> None:
    found = LearntRows.of(rows).take(10_000)
    pd.testing.assert_frame_equal(found, sample_rows(rows, 10_000))


def test_trees_are_the_same_on_both_sides_of_the_bound(both: Both, config: Config) -> None:
    first, second = (train_trees(rows, ENCODING, config.lightgbm, [], 7) for rows in both)
    assert first.native_text == second.native_text
    assert first.evaluation.metrics == second.evaluation.metrics


def test_rows_are_encoded_alike_on_both_sides_of_the_bound(both: Both) -> None:
    features = [f for f in model_features(("report",), use_gender=False) if f.name != "os"][:2]
    features += [f for f in FEATURES if f.name == "os"]
    names = {f.name: ("signal" if f.is_numeric else "os") for f in features}
    encoded = []
    for rows in both:
        spark = rows.spark.withColumns(
            {name: F.col(of) for name, of in names.items()}
            | {"last_subscription_level": F.lit("paid"), "tenure_days": F.col("signal") * 100}
        )
        wide = LearntRows.of(spark)
        encoding = fit_encoding(wide, features, 2)
        encoded.append((encoding, sample_rows(encode_rows(wide.rows, encoding), 10_000)))
    (few, few_rows), (many, many_rows) = encoded
    assert few == many
    pd.testing.assert_frame_equal(few_rows, many_rows)


def test_logistic_regression_equals_sparks(spark: SparkSession, config: Config) -> None:
    # So few that Spark's approximate median is exact.
    frame = planted_rows(n=400)
    numbers = ["signal", "noise", "stated"]
    filled = [f"{name}_filled" for name in numbers]
    compressed = spark.createDataFrame(frame).withColumns(
        {name: F.signum(name) * F.log1p(F.abs(F.col(name))) for name in numbers}
    )
    fitted = Pipeline(
        stages=[
            Imputer(strategy="median", inputCols=numbers, outputCols=filled),
            OneHotEncoder(inputCols=["place"], outputCols=["levels"], handleInvalid="keep"),
            VectorAssembler(inputCols=[*filled, "levels"], outputCol="assembled"),
            StandardScaler(inputCol="assembled", outputCol="features"),
            LogisticRegression(
                regParam=config.logistic_regression.reg_params[0],
                maxIter=1000,
                tol=1e-12,
                standardization=False,
            ),
        ]
    ).fit(compressed)
    scored = fitted.transform(compressed).select(
        "user_id", vector_to_array(F.col("probability"))[1].alias("expected")
    )
    ours = fit_logistic_regression(
        frame, ENCODING, config.logistic_regression, config.logistic_regression.reg_params[0]
    )
    found = frame.assign(found=ours.probabilities(frame)).merge(scored.toPandas(), on="user_id")
    np.testing.assert_allclose(found["found"], found["expected"], rtol=0, atol=1e-6)
