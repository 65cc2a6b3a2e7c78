"""Encoded rows -> two fitted models, and their metrics on users that no fit has seen.

Validation users take part in no fit and no choice. A first model, the candidate, is grown on the
training users and all dates but the newest. Its predictions for the stopping users decide the
number of trees and the threshold; its predictions for the newest date decide the calibration.
The final model is then grown on training and stopping users and all dates.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pandas as pd
from pyspark.ml import PipelineModel
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from churn_spark.arrays import Floats
from churn_spark.config import LightGBMConfig, LogisticRegressionConfig
from churn_spark.contracts.features.segments import SEGMENT_COLUMNS
from churn_spark.contracts.tables import VALIDATION_SCORES
from churn_spark.evaluation.evaluation import Evaluation
from churn_spark.evaluation.metrics import best_f1_threshold, evaluate, outcomes
from churn_spark.lakehouse.schema import conform, struct_of
from churn_spark.models.calibration import Calibration
from churn_spark.models.calibration_choice import ChosenCalibration, choose_calibration
from churn_spark.models.encoding import Encoding
from churn_spark.models.estimators import (
    TreePlan,
    collect_bounded,
    fit_logistic_regression,
    fit_trees,
    logistic_probabilities,
)
from churn_spark.models.margins import margin_losses, staged_margins, tree_margins
from churn_spark.models.offset import Offset
from churn_spark.models.rounds import ChosenRounds, choose_rounds, round_grid
from churn_spark.models.splits import STOPPING, TRAIN, VALIDATION

_ROWS_PER_TASK = 50_000
MAX_SCORED_ROWS = 200_000


@dataclass(frozen=True)
class FittedTrees:
    """The final trees, and what was chosen for them.

    Attributes:
        native_text: LightGBM's text of the trees.
        offset: what they add to; none: they hold everything.
        calibration: from margins to probabilities, and why this one.
        base_rate: share of cancellations among the fitted rows.
        class_weight: `scale_pos_weight` of the final fit.
        rounds: trees of the final fit, and why so many.
        evaluation: on the validation users.
    """

    native_text: str
    offset: Offset | None
    calibration: ChosenCalibration
    base_rate: float
    class_weight: float
    rounds: ChosenRounds
    evaluation: Evaluation

    def probabilities(self, rows: pd.DataFrame, encoding: Encoding) -> Floats:
        """The chance to cancel of encoded rows."""
        margins = tree_margins(rows, encoding, self.native_text, self.offset)
        return self.calibration.calibration.probabilities(margins)


@dataclass(frozen=True)
class FittedBaseline:
    """The final logistic regression, and the encoding of its features."""

    spark_model: PipelineModel
    encoding: Encoding
    evaluation: Evaluation


def train_trees(
    rows: DataFrame,
    encoding: Encoding,
    config: LightGBMConfig,
    offset_feature: str | None,
    seed: int,
) -> FittedTrees:
    """Choose the number of trees and the calibration, then fit on all but validation users.

    Args:
        rows: the training rows as read back from storage.
        encoding: of their features.
        config: LightGBM's parameters.
        offset_feature: a feature that is a probability, whose logit the trees add to; or none.
        seed: of every random choice.
    """
    newest = rows.agg(F.max("as_of")).collect()[0][0]
    is_earlier = F.col("as_of") < F.lit(newest)
    has_earlier = not _of_split(rows, TRAIN).filter(is_earlier & (F.col("label") == 1)).isEmpty()
    fitted_on = _of_split(rows, TRAIN, STOPPING)
    base_rate = base_rate_of(fitted_on)
    offset = Offset(offset_feature, base_rate) if offset_feature else None
    with all_tasks_at_once(rows.sparkSession):
        first = _of_split(rows, TRAIN).filter(is_earlier) if has_earlier else _of_split(rows, TRAIN)
        plan = TreePlan(config.max_rounds, class_weight_of(first, config), seed, offset)
        candidate = fit_trees(in_few_partitions(first), encoding, config, plan, config.engine)
        stopping = collect_bounded(_of_split(rows, STOPPING), MAX_SCORED_ROWS)
        rounds = _choose_rounds(stopping, encoding, candidate, plan, config)
        weight = class_weight_of(fitted_on, config)
        final_plan = TreePlan(rounds.rounds, weight, seed, offset)
        native_text = fit_trees(
            in_few_partitions(fitted_on), encoding, config, final_plan, config.engine
        )
    later = (
        collect_bounded(fitted_on.filter(~is_earlier), MAX_SCORED_ROWS) if has_earlier else stopping
    )
    calibration = choose_calibration(
        tree_margins(later, encoding, candidate, offset, rounds.rounds),
        later["label"].to_numpy(),
        later["user_id"].to_numpy(),
        seed=seed,
    )
    stopping_margins = tree_margins(stopping, encoding, candidate, offset, rounds.rounds)
    stopping = _with_probabilities(stopping, stopping_margins, calibration.calibration)
    validation = collect_bounded(_of_split(rows, VALIDATION), MAX_SCORED_ROWS)
    validation_margins = tree_margins(validation, encoding, native_text, offset)
    validation = _with_probabilities(validation, validation_margins, calibration.calibration)
    evaluation = _evaluate(validation, stopping)
    return FittedTrees(native_text, offset, calibration, base_rate, weight, rounds, evaluation)


def train_logistic_regression(
    rows: DataFrame, encoding: Encoding, config: LogisticRegressionConfig
) -> FittedBaseline:
    """Fit the baseline on the same rows, its threshold chosen in the same way."""
    candidate = fit_logistic_regression(in_few_partitions(_of_split(rows, TRAIN)), encoding, config)
    fitted_on = _of_split(rows, TRAIN, STOPPING)
    final = fit_logistic_regression(in_few_partitions(fitted_on), encoding, config)
    stopping, validation = (
        collect_bounded(
            logistic_probabilities(model, _of_split(rows, split), encoding), MAX_SCORED_ROWS
        )
        for model, split in ((candidate, STOPPING), (final, VALIDATION))
    )
    return FittedBaseline(final, encoding, _evaluate(validation, stopping))


def build_baseline_rows(
    rows: DataFrame, encoding: Encoding, trees: FittedTrees, max_rows: int
) -> pd.DataFrame:
    """A sample of the rows the model was fitted on, without ids.

    Returns:
        The encoded features, `churn_probability`, and the segments as names.
    """
    sample = collect_bounded(_of_split(rows, TRAIN, STOPPING), max_rows)
    predicted = sample.assign(churn_probability=trees.probabilities(sample, encoding))
    return predicted[[*encoding.features, "churn_probability", *SEGMENT_COLUMNS]]


def build_validation_scores(
    spark: SparkSession, evaluation: Evaluation, run_id: str, family: str
) -> DataFrame:
    """The validation rows of one run with their outcomes: who was missed, who was flagged.

    Grain: (run_id, as_of, user_id).
    """
    rows = evaluation.rows
    labels, probabilities = rows["label"].to_numpy(), rows["churn_probability"].to_numpy()
    scored = rows[["as_of", "user_id", "label", "churn_probability"]].assign(
        run_id=run_id,
        family=family,
        outcome=outcomes(labels, probabilities, evaluation.metrics.threshold),
    )
    return conform(
        spark.createDataFrame(scored[VALIDATION_SCORES.column_names], struct_of(VALIDATION_SCORES)),
        VALIDATION_SCORES,
    )


def describe_evaluation(name: str, evaluation: Evaluation) -> str:
    """`LightGBM AUC 0.712, F1 0.310`, on the validation users."""
    return f"{name} AUC {evaluation.metrics.roc_auc:.3f}, F1 {evaluation.metrics.f1:.3f}"


def _choose_rounds(
    stopping: pd.DataFrame,
    encoding: Encoding,
    candidate: str,
    plan: TreePlan,
    config: LightGBMConfig,
) -> ChosenRounds:
    """Compare numbers of trees by their loss on the stopping users."""
    grid = round_grid(config.min_rounds, config.max_rounds)
    margins = staged_margins(stopping, encoding, candidate, plan.offset, grid)
    losses = margin_losses(margins, stopping["label"].to_numpy(), plan.class_weight)
    return choose_rounds(losses, stopping["user_id"].to_numpy(), grid)


def in_few_partitions(rows: DataFrame) -> DataFrame:
    """The rows in few, ordered partitions: small data gives the same trees."""
    n_slots = int(rows.sparkSession.sparkContext.defaultParallelism)
    n_tasks = min(rows.count() // _ROWS_PER_TASK + 1, n_slots)
    return rows.repartition(n_tasks, "user_id").sortWithinPartitions("user_id", "as_of")


def _of_split(rows: DataFrame, *splits: str) -> DataFrame:
    return rows.filter(F.col("split").isin(*splits))


def base_rate_of(rows: DataFrame) -> float:
    """Share of the rows that cancel."""
    return float(rows.agg(F.avg("label")).collect()[0][0])


def class_weight_of(rows: DataFrame, config: LightGBMConfig) -> float:
    """1, or stayers per canceller."""
    if config.class_weight == "none":
        return 1.0
    rate = base_rate_of(rows)
    return (1.0 - rate) / rate


def _with_probabilities(
    rows: pd.DataFrame, margins: Floats, calibration: Calibration
) -> pd.DataFrame:
    return rows.assign(churn_probability=calibration.probabilities(margins))


def _evaluate(validation: pd.DataFrame, stopping: pd.DataFrame) -> Evaluation:
    threshold = best_f1_threshold(
        stopping["label"].to_numpy(), stopping["churn_probability"].to_numpy()
    )
    labels, probabilities = validation["label"], validation["churn_probability"]
    return Evaluation(validation, evaluate(labels.to_numpy(), probabilities.to_numpy(), threshold))


@contextmanager
def all_tasks_at_once(spark: SparkSession) -> Iterator[None]:
    """Adaptive execution off: it may merge the partitions that LightGBM's tasks wait for."""
    before = spark.conf.get("spark.sql.adaptive.enabled", "true")
    spark.conf.set("spark.sql.adaptive.enabled", "false")
    try:
        yield
    finally:
        spark.conf.set("spark.sql.adaptive.enabled", str(before))
