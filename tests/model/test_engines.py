"""Two engines, one model: they rank alike, and either reads what the other wrote."""

from __future__ import annotations

from collections.abc import Mapping

import lightgbm
import numpy as np
import pandas as pd
import pytest
from model_builders import ENCODING, FEATURES, planted_rows
from pyspark.ml.feature import VectorAssembler
from pyspark.ml.functions import vector_to_array
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from scipy.special import expit

from churn_spark.config import load_config
from churn_spark.evaluation.metrics import roc_auc
from churn_spark.models.estimators import TreePlan, fit_trees
from churn_spark.models.learnt_rows import LearntRows
from churn_spark.models.margins import tree_margins
from churn_spark.models.offset import Offset
from churn_spark.runtime.spark_lines import INSTALLED

pytestmark = pytest.mark.skipif(
    not INSTALLED.has_synapseml, reason="SynapseML has no jars for this Spark"
)

ENGINES = ("synapseml", "lightgbm")
OFFSETS = {"alone": Offset.at(None, 0.2), "offset": Offset.at("stated", 0.1)}
Texts = Mapping[tuple[str, str], str]


@pytest.fixture(scope="module")
def rows(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> DataFrame:
    """The planted rows in one partition, read back from storage as in a real training."""
    path = str(tmp_path_factory.mktemp("rows"))
    spark.createDataFrame(planted_rows()).coalesce(1).write.mode("overwrite").parquet(path)
    return spark.read.parquet(path).coalesce(1)


@pytest.fixture(scope="module")
def texts(rows: DataFrame) -> Texts:
    """Engine and offset -> the text of its trees."""
    config = load_config().lightgbm
    return {
        (engine, name): fit_trees(
            LearntRows.of(rows), ENCODING, config, TreePlan(40, 1.0, 7, offset), engine
        )
        for engine in ENGINES
        for name, offset in OFFSETS.items()
    }


@pytest.fixture(scope="module")
def unseen() -> pd.DataFrame:
    """So many rows that an area is known to a thousandth."""
    return planted_rows(seed=2, n=50_000)


@pytest.mark.parametrize("name", OFFSETS)
def test_engines_rank_alike_and_find_what_was_planted(
    name: str, texts: Texts, unseen: pd.DataFrame
) -> None:
    labels, stated = unseen["label"].to_numpy(), unseen["stated"].fillna(0.1).to_numpy()
    ours, theirs = (
        roc_auc(labels, tree_margins(unseen, ENCODING, texts[engine, name], OFFSETS[name]))
        for engine in ENGINES
    )
    assert abs(ours - theirs) < 0.002
    assert min(ours, theirs) > roc_auc(labels, stated) + 0.05


@pytest.mark.parametrize("engine", ENGINES)
def test_rows_count_as_often_as_their_weight_says(engine: str, rows: DataFrame) -> None:
    """Where each canceller counts three times, nearly three times the odds come out."""
    weighted = rows.withColumn("weight", F.when(F.col("label") == 1, 3.0).otherwise(1.0))
    plan = TreePlan(120, 1.0, 7, OFFSETS["alone"])
    text = fit_trees(LearntRows.of(weighted), ENCODING, load_config().lightgbm, plan, engine)
    found = weighted.toPandas()
    chances = expit(tree_margins(found, ENCODING, text, plan.offset))
    expected = np.average(found["label"], weights=found["weight"])
    assert np.average(chances, weights=found["weight"]) == pytest.approx(expected, abs=0.03)
    assert expected > found["label"].mean() + 0.1


@pytest.mark.parametrize("name", OFFSETS)
@pytest.mark.parametrize("engine", ENGINES)
def test_synapseml_and_lightgbm_score_a_text_identically(
    engine: str, name: str, texts: Texts, rows: DataFrame
) -> None:
    from synapse.ml.lightgbm import LightGBMClassificationModel

    text = texts[engine, name]
    assembler = VectorAssembler(
        inputCols=list(FEATURES), outputCol="features", handleInvalid="keep"
    )
    model = LightGBMClassificationModel.loadNativeModelFromString(text)
    margin = vector_to_array(F.col("rawPrediction"))[1].alias("margin")
    scored = model.transform(assembler.transform(rows)).select(*FEATURES, margin).toPandas()
    booster = lightgbm.Booster(model_str=text)
    margins = booster.predict(scored[list(FEATURES)].to_numpy(), raw_score=True)
    assert np.abs(margins - scored["margin"].to_numpy()).max() <= 1e-12
    assert len(np.unique(margins)) > 100
