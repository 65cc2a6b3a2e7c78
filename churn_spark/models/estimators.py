"""The two model families on one matrix: LightGBM through SynapseML, and its baseline.

Both take rows with the encoded feature columns as doubles, `label` and `split`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pyspark.ml import Pipeline, PipelineModel
from pyspark.ml.classification import LogisticRegression
from pyspark.ml.feature import Imputer, OneHotEncoder, StandardScaler, VectorAssembler
from pyspark.ml.functions import vector_to_array
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from churn_spark.config import LightGBMConfig, LogisticRegressionConfig
from churn_spark.models.encoding import Encoding


def fit_lightgbm(
    rows: DataFrame,
    encoding: Encoding,
    config: LightGBMConfig,
    seed: int,
    *,
    rounds: int,
    class_weight: float,
    stop_on: str | None = None,
) -> Any:
    """Fit SynapseML's classifier; returns its model, which scores with all of its trees.

    Args:
        rows: read back from storage, so that no task recomputes its input.
        encoding: names the columns and the categories.
        config: LightGBM's parameters.
        seed: of every random choice.
        rounds: most trees to grow.
        class_weight: of a cancellation, as `scale_pos_weight`.
        stop_on: boolean column of the rows that decide when to stop; none: grow all rounds.
    """
    from synapse.ml.lightgbm import LightGBMClassifier

    # A fresh estimator each time: it keeps the reference data set of its last fit.
    estimator = LightGBMClassifier(
        objective="binary",
        labelCol="label",
        featuresCol="features",
        numIterations=rounds,
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
        metric="auc",
        seed=seed,
        deterministic=True,
        # Streaming mode crashes on small data with several cores.
        dataTransferMode="bulk",
        matrixType="dense",
        # There is no parameter for it; `isUnbalance` would weigh a second time.
        passThroughArgs=f"scale_pos_weight={class_weight!r} force_col_wise=true",
        verbosity=-1,
    )
    if stop_on is not None:
        # The default of 0 would stop at the first round without gain.
        estimator.setValidationIndicatorCol(stop_on)
        estimator.setEarlyStoppingRound(config.early_stopping_rounds)
    assembler = VectorAssembler(
        inputCols=list(encoding.features), outputCol="features", handleInvalid="keep"
    )
    kept = ["label", "features"] + ([stop_on] if stop_on else [])
    model = estimator.fit(assembler.transform(rows).select(*kept))
    # After early stopping SynapseML would score with one tree fewer than the text holds.
    model.setNumIterations(-1)
    return model


def fit_logistic_regression(
    rows: DataFrame, encoding: Encoding, config: LogisticRegressionConfig
) -> PipelineModel:
    """Fit the baseline: medians for missing numbers, one-hot categories, unit variance."""
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
    return Pipeline(stages=stages).fit(rows)


def logistic_probabilities(model: PipelineModel, rows: DataFrame) -> DataFrame:
    """The rows with the baseline's `churn_probability`."""
    both = vector_to_array(F.col("both_probabilities"))
    return (
        model.transform(rows)
        .withColumn("churn_probability", both[1])
        .select(*rows.columns, "churn_probability")
    )


def _suffixed(names: Sequence[str], suffix: str) -> list[str]:
    return [f"{name}{suffix}" for name in names]
