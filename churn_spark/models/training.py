"""Encoded rows -> two fitted models, and their metrics on users that no fit has seen.

Validation users take part in no fit and no choice. A first model, the candidate, is grown on the
training users and all dates but the newest. Its predictions for the stopping users decide the
number of trees and the threshold; what trees grown like it, but not on a row's own user, predict
for the newest date decides the calibration. Where trees begin (an intercept and a slope for each
forecast) is fitted once, on training and stopping users and all dates: the rows that decide are new
to the trees, not to these few numbers.
The final model is then grown on training and stopping users and all dates.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import pandas as pd

from churn_spark.arrays import Floats, Values
from churn_spark.config import LightGBMConfig, LogisticRegressionConfig
from churn_spark.contracts.features.history import FILLED_DAYS, LOG_DAYS, History
from churn_spark.contracts.features.segments import SEGMENT_COLUMNS
from churn_spark.contracts.features.spec import named
from churn_spark.contracts.tables import VALIDATION_SCORES
from churn_spark.evaluation.coarse import coarsen
from churn_spark.evaluation.evaluation import Evaluation
from churn_spark.evaluation.metrics import choose_threshold, evaluate, outcomes
from churn_spark.evaluation.treated import weights_in
from churn_spark.evaluation.weights import count_positive_rows
from churn_spark.models.calibration import Calibration
from churn_spark.models.calibration_choice import ChosenCalibration, choose_calibration
from churn_spark.models.class_weights import class_weight_of
from churn_spark.models.crossed_margins import crossed_margins
from churn_spark.models.encoding import Encoding
from churn_spark.models.estimators import TreePlan, fit_trees
from churn_spark.models.learnt_rows import MAX_COLLECTED_ROWS, LearntRows
from churn_spark.models.logistic import (
    LogisticRegression,
    choose_reg_param,
    fit_logistic_regression,
)
from churn_spark.models.margins import margin_losses, staged_margins, tree_margins
from churn_spark.models.offset import Offset, fit_offset
from churn_spark.models.reference_folds import FOLD, deal_one_row
from churn_spark.models.rounds import (
    ChosenRounds,
    are_enough,
    choose_rounds,
    numbers_to_grow,
    rounds_to_try,
)
from churn_spark.models.splits import STOPPING, TRAIN, VALIDATION

MAX_SCORED_ROWS = 200_000
MAX_CHOICE_ROWS = 50_000


@dataclass(frozen=True)
class FittedTrees:
    """The final trees, and what was chosen for them.

    Attributes:
        native_text: LightGBM's text of the trees.
        offset: what they add to.
        calibration: from margins to probabilities, and why this one.
        base_rate: share of cancellations among the fitted rows.
        class_weight: `scale_pos_weight` of the final fit.
        rounds: trees of the final fit, and why so many.
        evaluation: on the validation users.
    """

    native_text: str
    offset: Offset
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
    """The final logistic regression, and how good it is on the validation users.

    Attributes:
        model: the regression.
        reg_param: how much it is regularized.
        evaluation: on the validation users.
    """

    model: LogisticRegression
    reg_param: float
    evaluation: Evaluation


def train_trees(
    rows: LearntRows,
    encoding: Encoding,
    config: LightGBMConfig,
    offset_features: Sequence[str],
    seed: int,
) -> FittedTrees:
    """Choose the number of trees and the calibration, then fit on all but validation users.

    Args:
        rows: the training rows.
        encoding: of their features.
        config: LightGBM's parameters.
        offset_features: that are probabilities, to whose log-odds the trees add; none: to those of
            the base rate.
        seed: of every random choice.
    """
    *earlier, newest = rows.dates
    fitted_on, trained = rows.where("split", [TRAIN, STOPPING]), rows.where("split", [TRAIN])
    before_newest = trained.where("as_of", earlier)
    has_earlier = before_newest.n_positive > 0
    first = before_newest if has_earlier else trained
    offset = fit_start(rows, offset_features)
    stopping = rows.where("split", [STOPPING]).take(MAX_SCORED_ROWS)
    grid = rounds_to_try(
        count_positive_rows(stopping["label"].to_numpy(), weights_in(stopping)),
        config.min_rounds,
        config.max_rounds,
        from_forecasts=bool(offset.slopes),
    )
    plan = TreePlan(grid[-1], class_weight_of(first, config), seed, offset)
    candidate, rounds = _grow_candidate(first, stopping, encoding, config, plan, grid)
    weight = class_weight_of(fitted_on, config)
    final_plan = TreePlan(rounds.rounds, weight, seed, offset)
    native_text = fit_trees(fitted_on, encoding, config, final_plan, config.engine)
    later = fitted_on.where("as_of", [newest]).take(MAX_SCORED_ROWS) if has_earlier else stopping
    margins = tree_margins(later, encoding, candidate, offset, rounds.rounds)
    if has_earlier:
        shorter_plan = replace(plan, rounds=rounds.rounds)
        margins = crossed_margins(later, margins, first, encoding, config, shorter_plan)
    calibration = choose_calibration(
        margins,
        later["label"].to_numpy(),
        later["user_id"].to_numpy(),
        seed=seed,
        weights=weights_in(later),
    )
    stopping_margins = tree_margins(stopping, encoding, candidate, offset, rounds.rounds)
    stopping = _with_probabilities(stopping, stopping_margins, calibration.calibration)
    validation = rows.where("split", [VALIDATION]).take(MAX_SCORED_ROWS)
    validation_margins = tree_margins(validation, encoding, native_text, offset)
    validation = _with_probabilities(validation, validation_margins, calibration.calibration)
    evaluation = _evaluate(validation, stopping)
    return FittedTrees(
        native_text, offset, calibration, offset.fallback, weight, rounds, evaluation
    )


def fit_start(rows: LearntRows, offset_features: Sequence[str]) -> Offset:
    """Where the trees of a training on some rows begin; its fallback is the base rate.

    Args:
        rows: the training rows.
        offset_features: as of `train_trees`; of them those that say the contrary are left out.
    """
    fitted_on = rows.where("split", [TRAIN, STOPPING])
    return fit_offset(fitted_on.take(MAX_COLLECTED_ROWS), offset_features, fitted_on.base_rate)


def train_logistic_regression(
    rows: LearntRows,
    encoding: Encoding,
    config: LogisticRegressionConfig,
    offset_features: Sequence[str],
) -> FittedBaseline:
    """Fit the baseline on the same rows, its threshold chosen in the same way.

    Where there are more than `MAX_COLLECTED_ROWS`, on a fixed sample of users; how much to
    regularize is chosen on the stopping users, on fewer.

    Args:
        rows: the training rows.
        encoding: of the regression's features.
        config: of the regression.
        offset_features: that are probabilities, to whose log-odds it adds where it is to begin
            at them.
    """

    def learnt(*splits: str, max_rows: int = MAX_COLLECTED_ROWS) -> pd.DataFrame:
        return rows.where("split", splits).take(max_rows)

    def score(model: LogisticRegression, split: str) -> pd.DataFrame:
        found = learnt(split, max_rows=MAX_SCORED_ROWS)
        return found.assign(churn_probability=model.probabilities(found))

    fitted_on, offset = learnt(TRAIN, STOPPING), None
    if config.start_from_forecasts:
        offset = fit_start(rows, offset_features)
    some, others = (learnt(split, max_rows=MAX_CHOICE_ROWS) for split in (TRAIN, STOPPING))
    reg_param = choose_reg_param(some, others, encoding, config, offset)
    final = fit_logistic_regression(fitted_on, encoding, config, reg_param, offset)
    before = fit_logistic_regression(learnt(TRAIN), encoding, config, reg_param, offset)
    evaluation = _evaluate(score(final, VALIDATION), score(before, STOPPING))
    return FittedBaseline(final, reg_param, evaluation)


def build_baseline_rows(
    rows: LearntRows,
    encoding: Encoding,
    trees: FittedTrees,
    max_rows: int,
    history_of: Callable[[date], History],
) -> pd.DataFrame:
    """A sample of the rows the model was fitted on, without ids and dates, in coarse numbers.

    Users whose outcome doesn't count are among them: tonight's have such users, too.

    Args:
        rows: the training rows, those that count 0 among them.
        encoding: of their features.
        trees: fitted to them.
        max_rows: of the sample.
        history_of: an as-of date -> how much log there was before it.

    Returns:
        The encoded features, the `churn_probability` of just these, the segments as names, and
        how much log there was before each, and `fold`, see `reference_folds`.
    """
    sample = rows.where("split", [TRAIN, STOPPING]).take(max_rows)
    sample = coarsen(sample, named(encoding.features))
    predicted = sample.assign(churn_probability=trees.probabilities(sample, encoding))
    before = sample["as_of"].map({day: history_of(day) for day in sample["as_of"].unique()})
    beside: dict[str, Any] = {
        LOG_DAYS: [history.log_days for history in before],
        FILLED_DAYS: [history.filled_days for history in before],
        FOLD: deal_one_row(sample["user_id"]),
    }
    kept = [*encoding.features, "churn_probability", *SEGMENT_COLUMNS, *beside]
    return predicted.assign(**beside)[kept]


def build_validation_scores(evaluation: Evaluation, run_id: str, family: str) -> pd.DataFrame:
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
    return scored[[*VALIDATION_SCORES.column_names]]


def describe_evaluation(name: str, evaluation: Evaluation) -> str:
    """`LightGBM AUC 0.712, F1 0.310`, on the validation users."""
    return f"{name} AUC {evaluation.metrics.roc_auc:.3f}, F1 {evaluation.metrics.f1:.3f}"


def _grow_candidate(
    learnt: LearntRows,
    stopping: pd.DataFrame,
    encoding: Encoding,
    config: LightGBMConfig,
    plan: TreePlan,
    grid: list[int],
) -> tuple[str, ChosenRounds]:
    """Grow trees until it is known how many are enough; returns them and that number.

    Those that start from forecasts are mostly few: some are grown first, and all of them only
    where the best number is among the last ones (docs/adr/0074).
    """
    numbers = numbers_to_grow(grid) if plan.offset.slopes else grid[-1:]
    for grown in numbers:
        native_text = fit_trees(
            learnt, encoding, config, replace(plan, rounds=grown), config.engine
        )
        tried = [rounds for rounds in grid if rounds <= grown]
        margins = staged_margins(stopping, encoding, native_text, plan.offset, tried)
        losses = margin_losses(margins, stopping["label"].to_numpy())
        users = stopping["user_id"].to_numpy()
        rounds = choose_rounds(losses, users, tried, weights_in(stopping))
        if are_enough(rounds.best, grown):
            break
    return native_text, rounds


def _with_probabilities(
    rows: pd.DataFrame, margins: Floats, calibration: Calibration
) -> pd.DataFrame:
    return rows.assign(churn_probability=calibration.probabilities(margins))


def _evaluate(validation: pd.DataFrame, stopping: pd.DataFrame) -> Evaluation:
    threshold = choose_threshold(*_judged(stopping))
    labels, probabilities, weights = _judged(validation)
    return Evaluation(validation, evaluate(labels, probabilities, threshold, weights))


def _judged(rows: pd.DataFrame) -> tuple[Values, Values, Values | None]:
    """Labels, probabilities, and how often each row counts."""
    return rows["label"].to_numpy(), rows["churn_probability"].to_numpy(), weights_in(rows)
