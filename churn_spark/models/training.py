"""Encoded rows -> two fitted models and their honest figures.

The validation users are in no fit and choose nothing. The number of trees and the thresholds
are chosen on the stopping users by models fitted without them; the final models are fitted on
both parts together.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pyspark.ml import PipelineModel
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from churn_spark.config import LightGBMConfig, LogisticRegressionConfig
from churn_spark.models.calibration import Calibration
from churn_spark.models.encoding import Encoding
from churn_spark.models.estimators import (
    fit_lightgbm,
    fit_logistic_regression,
    logistic_probabilities,
)
from churn_spark.models.metrics import Metrics, best_f1_threshold, evaluate, outcomes
from churn_spark.models.splits import STOPPING, TRAIN, VALIDATION
from churn_spark.schemas import VALIDATION_SCORES, conform

_ROWS_PER_TASK = 50_000
_MAX_SCORED_ROWS = 200_000


@dataclass(frozen=True)
class Judged:
    """One family's validation rows with its probabilities, and the figures on them.

    Attributes:
        rows: as_of, user_id, label, the encoded features and `churn_probability`.
        metrics: at the threshold chosen on the stopping users.
    """

    rows: pd.DataFrame
    metrics: Metrics


@dataclass(frozen=True)
class FittedLightGBM:
    """The final trees and how they came about.

    Attributes:
        spark_model: SynapseML's model.
        native_text: LightGBM's text of the trees.
        calibration: makes the mean probability of the fitted rows their share of cancels.
        class_weight: `scale_pos_weight` of the final fit.
        rounds: trees of the final fit, from early stopping.
        judged: on the validation users.
    """

    spark_model: Any
    native_text: str
    calibration: Calibration
    class_weight: float
    rounds: int
    judged: Judged


@dataclass(frozen=True)
class FittedBaseline:
    """The final logistic regression."""

    spark_model: PipelineModel
    judged: Judged


def train_lightgbm(
    rows: DataFrame, encoding: Encoding, config: LightGBMConfig, seed: int
) -> FittedLightGBM:
    """Choose the number of trees by early stopping, then fit on all but validation users.

    Args:
        rows: the training rows as read back from storage.
        encoding: of their features.
        config: LightGBM's parameters.
        seed: of every random choice.
    """
    with _all_tasks_at_once(rows.sparkSession):
        chosen_on = _prepare(rows, [TRAIN, STOPPING])
        weight = _class_weight(chosen_on.filter(F.col("split") == TRAIN))
        candidate = fit_lightgbm(
            chosen_on.withColumn("is_stopping", F.col("split") == STOPPING),
            encoding,
            config,
            seed,
            rounds=config.max_rounds,
            class_weight=weight,
            stop_on="is_stopping",
        )
        candidate_booster = lightgbm.Booster(model_str=candidate.getNativeModel())
        rounds = max(config.min_rounds, candidate_booster.num_trees())
        final_weight = _class_weight(chosen_on)
        final = fit_lightgbm(
            chosen_on, encoding, config, seed, rounds=rounds, class_weight=final_weight
        )
    native_text = final.getNativeModel()
    booster = lightgbm.Booster(model_str=native_text)
    candidate_calibration = _calibrate(rows, [TRAIN], encoding, candidate_booster)
    calibration = _calibrate(rows, [TRAIN, STOPPING], encoding, booster)
    stopping = _score_trees(rows, STOPPING, encoding, candidate_booster, candidate_calibration)
    validation = _score_trees(rows, VALIDATION, encoding, booster, calibration)
    return FittedLightGBM(
        final, native_text, calibration, final_weight, rounds, _judge(validation, stopping)
    )


def train_logistic_regression(
    rows: DataFrame, encoding: Encoding, config: LogisticRegressionConfig
) -> FittedBaseline:
    """Fit the baseline on the same rows, its threshold chosen in the same way."""
    candidate = fit_logistic_regression(_prepare(rows, [TRAIN]), encoding, config)
    final = fit_logistic_regression(_prepare(rows, [TRAIN, STOPPING]), encoding, config)
    stopping = collect_bounded(logistic_probabilities(candidate, _of_split(rows, STOPPING)))
    validation = collect_bounded(logistic_probabilities(final, _of_split(rows, VALIDATION)))
    return FittedBaseline(final, _judge(validation, stopping))


def build_baseline_rows(
    rows: DataFrame, encoding: Encoding, trees: FittedLightGBM, max_rows: int
) -> pd.DataFrame:
    """A sample of the rows the model was fitted on, with their predictions, without ids."""
    sample = collect_bounded(_of_split(rows, TRAIN, STOPPING), max_rows)
    booster = lightgbm.Booster(model_str=trees.native_text)
    predicted = _predict(sample, encoding, booster, trees.calibration)
    return predicted[[*encoding.features, "churn_probability"]]


def build_validation_scores(
    spark: SparkSession, judged: Judged, run_id: str, family: str
) -> DataFrame:
    """The validation rows of one run with their outcomes: who was missed, who was flagged.

    Grain: (run_id, as_of, user_id).
    """
    rows = judged.rows
    labels, probabilities = rows["label"].to_numpy(), rows["churn_probability"].to_numpy()
    scored = rows[["as_of", "user_id", "label", "churn_probability"]].assign(
        run_id=run_id,
        family=family,
        outcome=outcomes(labels, probabilities, judged.metrics.threshold),
    )
    return conform(
        spark.createDataFrame(scored[VALIDATION_SCORES.column_names], VALIDATION_SCORES.struct),
        VALIDATION_SCORES,
    )


def describe_judged(name: str, judged: Judged) -> str:
    """`LightGBM AUC 0.712, F1 0.310`, on the validation users."""
    return f"{name} AUC {judged.metrics.roc_auc:.3f}, F1 {judged.metrics.f1:.3f}"


def collect_bounded(rows: DataFrame, max_rows: int = _MAX_SCORED_ROWS) -> pd.DataFrame:
    """The rows on the driver, ordered; a fixed sample of users where there are too many."""
    order = F.xxhash64("user_id")
    return rows.orderBy(order, "as_of", "user_id").limit(max_rows).toPandas()


def _prepare(rows: DataFrame, splits: Sequence[str]) -> DataFrame:
    """The rows of some splits in few, ordered partitions: small data gives the same trees."""
    chosen = _of_split(rows, *splits)
    n_tasks = chosen.count() // _ROWS_PER_TASK + 1
    n_tasks = min(n_tasks, rows.sparkSession.sparkContext.defaultParallelism)
    return chosen.repartition(n_tasks, "user_id").sortWithinPartitions("user_id", "as_of")


def _of_split(rows: DataFrame, *splits: str) -> DataFrame:
    return rows.filter(F.col("split").isin(*splits))


def _class_weight(rows: DataFrame) -> float:
    """Stayers per canceller."""
    counts = rows.agg(F.count(F.lit(1)).alias("n"), F.sum("label").alias("n_positive")).collect()[0]
    return float((counts.n - counts.n_positive) / counts.n_positive)


def _calibrate(
    rows: DataFrame, splits: Sequence[str], encoding: Encoding, booster: lightgbm.Booster
) -> Calibration:
    fitted_on = collect_bounded(_of_split(rows, *splits))
    margins = _margins(fitted_on, encoding, booster)
    return Calibration.match_base_rate(margins, fitted_on["label"].to_numpy())


def _score_trees(
    rows: DataFrame,
    split: str,
    encoding: Encoding,
    booster: lightgbm.Booster,
    calibration: Calibration,
) -> pd.DataFrame:
    return _predict(collect_bounded(_of_split(rows, split)), encoding, booster, calibration)


def _predict(
    rows: pd.DataFrame, encoding: Encoding, booster: lightgbm.Booster, calibration: Calibration
) -> pd.DataFrame:
    margins = _margins(rows, encoding, booster)
    return rows.assign(churn_probability=calibration.probabilities(margins))


def _margins(
    rows: pd.DataFrame, encoding: Encoding, booster: lightgbm.Booster
) -> NDArray[np.float64]:
    matrix = rows[list(encoding.features)].to_numpy(dtype=np.float64)
    return np.asarray(booster.predict(matrix, raw_score=True))


def _judge(validation: pd.DataFrame, stopping: pd.DataFrame) -> Judged:
    threshold = best_f1_threshold(
        stopping["label"].to_numpy(), stopping["churn_probability"].to_numpy()
    )
    labels, probabilities = validation["label"], validation["churn_probability"]
    return Judged(validation, evaluate(labels.to_numpy(), probabilities.to_numpy(), threshold))


@contextmanager
def _all_tasks_at_once(spark: SparkSession) -> Iterator[None]:
    """Adaptive execution off: it may merge the partitions that LightGBM's tasks wait for."""
    before = spark.conf.get("spark.sql.adaptive.enabled", "true")
    spark.conf.set("spark.sql.adaptive.enabled", "false")
    try:
        yield
    finally:
        spark.conf.set("spark.sql.adaptive.enabled", str(before))
