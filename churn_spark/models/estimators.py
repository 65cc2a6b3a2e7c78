"""The two model families on one matrix: trees, by either of two engines, and their baseline.

All take rows with the encoded feature columns as doubles, `label` and `split`. Trees come back
as LightGBM's text, whichever engine has grown them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import lightgbm
import pandas as pd
from pyspark.ml import Pipeline, PipelineModel
from pyspark.ml.classification import LogisticRegression
from pyspark.ml.feature import Imputer, OneHotEncoder, StandardScaler, VectorAssembler
from pyspark.ml.functions import vector_to_array
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from churn_spark.config import LightGBMConfig, LogisticRegressionConfig
from churn_spark.models.encoding import Encoding
from churn_spark.models.offset import MIN_PROBABILITY, Offset

MAX_COLLECTED_ROWS = 500_000
_OFFSET_COLUMN = "offset"


@dataclass(frozen=True)
class TreePlan:
    """What one fit of trees is told, besides LightGBM's own parameters.

    Attributes:
        rounds: trees to grow.
        class_weight: of a cancellation, as `scale_pos_weight`.
        seed: of every random choice.
        offset: what the trees add to; none: they start from the base rate.
    """

    rounds: int
    class_weight: float
    seed: int
    offset: Offset | None


def fit_trees(
    rows: DataFrame, encoding: Encoding, config: LightGBMConfig, plan: TreePlan, engine: str
) -> str:
    """Grow trees and give LightGBM's text of them.

    Args:
        rows: read back from storage, so that no task recomputes its input.
        encoding: names the columns and the categories.
        config: LightGBM's parameters.
        plan: of this fit.
        engine: `synapseml`, where Spark has the rows, or `lightgbm`, its own library on the
            driver, on at most `MAX_COLLECTED_ROWS` of them.
    """
    fit = _fit_synapseml if engine == "synapseml" else _fit_native
    return fit(rows, encoding, config, plan)


def _fit_synapseml(
    rows: DataFrame, encoding: Encoding, config: LightGBMConfig, plan: TreePlan
) -> str:
    from synapse.ml.lightgbm import LightGBMClassifier

    # A fresh estimator each time: it keeps the reference data set of its last fit.
    estimator = LightGBMClassifier(
        objective="binary",
        labelCol="label",
        featuresCol="features",
        numIterations=plan.rounds,
        numLeaves=config.num_leaves,
        learningRate=config.learning_rate,
        minDataInLeaf=config.min_data_in_leaf,
        lambdaL2=config.lambda_l2,
        baggingFraction=config.bagging_fraction,
        baggingFreq=config.bagging_freq,
        featureFraction=config.feature_fraction,
        minDataPerGroup=config.min_data_per_group,
        catSmooth=config.cat_smooth,
        categoricalSlotNames=encoding.categorical,
        slotNames=list(encoding.features),
        seed=plan.seed,
        deterministic=True,
        # Streaming mode crashes on small data with several cores.
        dataTransferMode="bulk",
        matrixType="dense",
        # There is no parameter for it; `isUnbalance` would weigh a second time.
        passThroughArgs=f"scale_pos_weight={plan.class_weight!r} force_col_wise=true",
        verbosity=-1,
    )
    assembler = VectorAssembler(
        inputCols=list(encoding.features), outputCol="features", handleInvalid="keep"
    )
    columns: list[str | Column] = ["label", "features"]
    if plan.offset is not None:
        estimator.setInitScoreCol(_OFFSET_COLUMN)
        columns.append(offset_column(plan.offset).alias(_OFFSET_COLUMN))
    chosen = assembler.transform(rows).select(*columns)
    return str(estimator.fit(chosen).getNativeModel())


def offset_column(offset: Offset) -> Column:
    """`offset.values` as a Spark column of encoded rows."""
    stated = F.col(offset.feature)
    known = F.when(stated.isNull() | F.isnan(stated), offset.fallback).otherwise(stated)
    inside = F.least(F.greatest(known, F.lit(MIN_PROBABILITY)), F.lit(1.0 - MIN_PROBABILITY))
    return F.log(inside / (1.0 - inside))


def _fit_native(rows: DataFrame, encoding: Encoding, config: LightGBMConfig, plan: TreePlan) -> str:
    """As SynapseML does it, in this process; a fixed sample of users where there are too many."""
    sample = collect_bounded(rows, MAX_COLLECTED_ROWS)
    matrix = sample[list(encoding.features)].to_numpy(dtype=float)
    data = lightgbm.Dataset(
        matrix,
        sample["label"].to_numpy(),
        init_score=None if plan.offset is None else plan.offset.values(matrix, encoding.features),
        feature_name=list(encoding.features),
        categorical_feature=encoding.categorical,
        params={"verbosity": -1},
    )
    parameters: dict[str, Any] = {
        "objective": "binary",
        "num_leaves": config.num_leaves,
        "learning_rate": config.learning_rate,
        "min_data_in_leaf": config.min_data_in_leaf,
        "lambda_l2": config.lambda_l2,
        "bagging_fraction": config.bagging_fraction,
        "bagging_freq": config.bagging_freq,
        "feature_fraction": config.feature_fraction,
        "min_data_per_group": config.min_data_per_group,
        "cat_smooth": config.cat_smooth,
        "scale_pos_weight": plan.class_weight,
        "seed": plan.seed,
        "deterministic": True,
        "force_col_wise": True,
        "verbosity": -1,
    }
    booster = lightgbm.train(parameters, data, plan.rounds)
    return str(booster.model_to_string())


def fit_logistic_regression(
    rows: DataFrame, encoding: Encoding, config: LogisticRegressionConfig
) -> PipelineModel:
    """Fit the baseline: medians for missing numbers, one-hot categories, unit variance.

    Counts are long-tailed, so every number enters as its logarithm, signed; see `compress`.
    """
    categorical = encoding.categorical
    numeric = [name for name in encoding.features if name not in encoding.levels]
    filled, one_hot = _suffixed(numeric, "_filled"), _suffixed(categorical, "_one_hot")
    stages: list[Any] = [
        Imputer(strategy="median", inputCols=numeric, outputCols=filled),
        OneHotEncoder(inputCols=categorical, outputCols=one_hot, handleInvalid="keep"),
        VectorAssembler(inputCols=filled + one_hot, outputCol="assembled"),
        StandardScaler(inputCol="assembled", outputCol="scaled"),
        LogisticRegression(
            featuresCol="scaled",
            labelCol="label",
            probabilityCol="both_probabilities",
            regParam=config.reg_param,
            maxIter=config.max_iter,
            # The scaler has done it.
            standardization=False,
        ),
    ]
    return Pipeline(stages=stages).fit(compress(rows, encoding))


def logistic_probabilities(model: PipelineModel, rows: DataFrame, encoding: Encoding) -> DataFrame:
    """The rows with the baseline's `churn_probability`; its inputs come out compressed."""
    both = vector_to_array(F.col("both_probabilities"))
    scored = model.transform(compress(rows, encoding)).withColumn("churn_probability", both[1])
    return scored.select(*rows.columns, "churn_probability")


def compress(rows: DataFrame, encoding: Encoding) -> DataFrame:
    """The rows with the sign and the logarithm of one plus the size of every number."""
    numeric = [name for name in encoding.features if name not in encoding.levels]
    return rows.withColumns(
        {name: F.signum(name) * F.log1p(F.abs(F.col(name))) for name in numeric}
    )


def collect_bounded(rows: DataFrame, max_rows: int) -> pd.DataFrame:
    """The rows on the driver, ordered; a fixed sample of users where there are too many."""
    order = F.xxhash64("user_id")
    return rows.orderBy(order, "as_of", "user_id").limit(max_rows).toPandas()


def _suffixed(names: Sequence[str], suffix: str) -> list[str]:
    return [f"{name}{suffix}" for name in names]
