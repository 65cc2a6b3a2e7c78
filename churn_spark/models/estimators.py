"""Trees, grown by either of two engines on one matrix.

Both take rows with the encoded feature columns as doubles and `label`, and with a `weight` where
rows count more or less than once: it multiplies the weight of the class. Trees come back as
LightGBM's text, whichever engine has grown them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import lightgbm
from pyspark.ml.feature import VectorAssembler
from pyspark.sql import Column, SparkSession
from pyspark.sql import functions as F

from churn_spark.config import LightGBMConfig
from churn_spark.evaluation.treated import WEIGHT, weights_in
from churn_spark.models.class_weights import log_odds_shift, weigh_shrinkage
from churn_spark.models.encoding import Encoding
from churn_spark.models.learnt_rows import MAX_COLLECTED_ROWS, LearntRows
from churn_spark.models.offset import MIN_PROBABILITY, Offset
from churn_spark.runtime.executors import repeat_where_one_is_lost
from churn_spark.runtime.spark_lines import choose_engine

_START_COLUMN = "start"
_FEATURE_INFOS: Final = re.compile("^feature_infos=.*$", re.MULTILINE)
_RANGE: Final = re.compile(r"\[([-+.\deE]+):([-+.\deE]+)\]")


@dataclass(frozen=True)
class TreePlan:
    """What one fit of trees is told, besides LightGBM's own parameters.

    Attributes:
        rounds: trees to grow.
        class_weight: of a cancellation, as `scale_pos_weight`.
        seed: of every random choice.
        offset: what the trees add to.
    """

    rounds: int
    class_weight: float
    seed: int
    offset: Offset


def fit_trees(
    rows: LearntRows, encoding: Encoding, config: LightGBMConfig, plan: TreePlan, engine: str
) -> str:
    """Grow trees and give LightGBM's text of them.

    Args:
        rows: to learn from.
        encoding: names the columns and the categories.
        config: LightGBM's parameters.
        plan: of this fit.
        engine: `synapseml`, where Spark has the rows, `lightgbm`, its own library on the
            driver, on at most `MAX_COLLECTED_ROWS` of them, or `auto`, for which the installed
            Spark decides.

    Raises:
        ConfigError: if the installed Spark has no such engine.
    """
    shrunk = weigh_shrinkage(config, plan.class_weight)
    if choose_engine(engine) == "synapseml":
        fit = partial(_fit_synapseml, rows, encoding, shrunk, plan)
        return widen_ranges(repeat_where_one_is_lost(rows.session, fit))
    return widen_ranges(_fit_native(rows, encoding, shrunk, plan))


def widen_ranges(native_text: str) -> str:
    """The same trees with the range of each feature widened to whole numbers.

    Nothing reads the ranges, and their ends are values of single users: the longest tenure is the
    instant at which somebody registered.
    """

    def widen(found: re.Match[str]) -> str:
        low, high = map(float, found.groups())
        return f"[{math.floor(low)}:{math.ceil(high)}]"

    return _FEATURE_INFOS.sub(lambda line: _RANGE.sub(widen, line.group()), native_text, count=1)


def _fit_synapseml(
    rows: LearntRows, encoding: Encoding, config: LightGBMConfig, plan: TreePlan
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
        catl2=config.cat_l2,
        categoricalSlotNames=encoding.categorical,
        slotNames=list(encoding.features),
        seed=plan.seed,
        deterministic=True,
        # So long one task waits for the others; of an executor that was just lost, in vain.
        timeout=300.0,
        # Streaming mode crashes on small data with several cores.
        dataTransferMode="bulk",
        matrixType="dense",
        # There is no parameter for it; `isUnbalance` would weigh a second time.
        passThroughArgs=f"scale_pos_weight={plan.class_weight!r} force_col_wise=true",
        initScoreCol=_START_COLUMN,
        verbosity=-1,
    )
    weight = [WEIGHT] if rows.is_weighted else []
    if weight:
        estimator.setWeightCol(WEIGHT)
    assembler = VectorAssembler(
        inputCols=list(encoding.features), outputCol="features", handleInvalid="keep"
    )
    start = (offset_column(plan.offset) + log_odds_shift(plan.class_weight)).alias(_START_COLUMN)
    with all_tasks_at_once(rows.session):
        columns = ["label", *weight, *encoding.features]
        inputs = rows.in_few_partitions(columns, config.rows_per_task)
        chosen = assembler.transform(inputs).select("label", *weight, "features", start)
        return str(estimator.fit(chosen).getNativeModel())


def offset_column(offset: Offset) -> Column:
    """`offset.values` as a Spark column of encoded rows."""
    start = F.lit(offset.intercept)
    for name, slope in offset.slopes.items():
        stated = F.col(name)
        known = F.when(stated.isNull() | F.isnan(stated), offset.fallback).otherwise(stated)
        inside = F.least(F.greatest(known, F.lit(MIN_PROBABILITY)), F.lit(1.0 - MIN_PROBABILITY))
        start += slope * F.log(inside / (1.0 - inside))
    return start


def _fit_native(
    rows: LearntRows, encoding: Encoding, config: LightGBMConfig, plan: TreePlan
) -> str:
    """As SynapseML does it, in this process; a fixed sample of users where there are too many."""
    sample = rows.take(MAX_COLLECTED_ROWS)
    matrix = sample[list(encoding.features)].to_numpy(dtype=float)
    data = lightgbm.Dataset(
        matrix,
        sample["label"].to_numpy(),
        weight=weights_in(sample),
        init_score=plan.offset.values(matrix, encoding.features)
        + log_odds_shift(plan.class_weight),
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
        "cat_l2": config.cat_l2,
        "scale_pos_weight": plan.class_weight,
        "seed": plan.seed,
        "deterministic": True,
        "force_col_wise": True,
        "verbosity": -1,
    }
    booster = lightgbm.train(parameters, data, plan.rounds)
    return str(booster.model_to_string())


@contextmanager
def all_tasks_at_once(spark: SparkSession) -> Iterator[None]:
    """Adaptive execution off: it may merge the partitions that LightGBM's tasks wait for."""
    before = spark.conf.get("spark.sql.adaptive.enabled", "true")
    spark.conf.set("spark.sql.adaptive.enabled", "false")
    try:
        yield
    finally:
        spark.conf.set("spark.sql.adaptive.enabled", str(before))
