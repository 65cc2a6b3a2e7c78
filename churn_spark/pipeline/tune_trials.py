"""The trials of a search: run, evaluated on folds, and the choice among them."""

from __future__ import annotations

import json
import time
from datetime import date as Date

import mlflow
import numpy as np
import optuna

from churn_spark.arrays import Values
from churn_spark.config import LearningConfig, LightGBMConfig, TuningConfig
from churn_spark.contracts.features.spec import FORECAST_FEATURES
from churn_spark.evaluation.date_split import DateSplit
from churn_spark.evaluation.treated import weights_in
from churn_spark.evaluation.weights import count_positive_rows
from churn_spark.hashing import content_hash
from churn_spark.models.registry import ModelRegistry
from churn_spark.models.rounds import rounds_to_try
from churn_spark.models.search.folds import Fold, evaluate_fold, hash_rows
from churn_spark.models.search.search import (
    candidates_of,
    finish,
    importances,
    is_hopeless,
    search_space,
    trials_left,
)
from churn_spark.models.search.tuning import (
    Choice,
    FoldResult,
    TrialResult,
    choose_parameters,
    sum_up,
)
from churn_spark.models.splits import STOPPING
from churn_spark.models.training import MAX_SCORED_ROWS, fit_start
from churn_spark.pipeline.console import say
from churn_spark.pipeline.fit import offset_features
from churn_spark.pipeline.training_data import TrainingData

# These follow from the log and the configuration, but are fitted anew: their last digits vary.
_REFITTED = tuple(feature.name for feature in FORECAST_FEATURES)


def study_name(
    data: TrainingData, dates: DateSplit, config: LearningConfig, tuning: TuningConfig
) -> str:
    """A name that changes with the rows, their split or anything else a loss depends on."""
    about = {
        "rows": hash_rows(data.learnt.spark.drop(*_REFITTED)),
        "rounds": rounds_of(data, config.lightgbm, config),
        "features": data.encoding.fingerprint,
        "dates": dates.test,
        "space": tuning.model_dump(exclude={"n_trials", "timeout_minutes", "storage"}),
        "present": config.lightgbm.model_dump(),
        "behaviour": config.behaviour.model_dump(),
        "training": config.training.model_dump(),
        "labels": config.labels.model_dump(),
    }
    return f"tune-{content_hash(about)}"


def present_parameters(config: LightGBMConfig, tuning: TuningConfig) -> dict[str, float]:
    """The values in the configuration of the parameters that are searched."""
    return config.model_dump(include=set(tuning.ranges))


def search(
    registry: ModelRegistry,
    date: Date,
    data: TrainingData,
    folds: list[Fold],
    study: optuna.Study,
    config: LearningConfig,
    tuning: TuningConfig,
) -> Choice:
    """Run the trials that are left, each a run inside one of MLflow, and choose among all."""
    deadline = time.monotonic() + 60 * tuning.timeout_minutes
    space = search_space(tuning, config.lightgbm)
    with registry.run("tune_model", {"study": study.study_name, "date": str(date)}):
        # The address of a database may hold a password.
        mlflow.log_params(tuning.model_dump(exclude={"storage"}))
        for trial in trials_left(study, space, tuning, deadline):
            with registry.run(f"trial {trial.number}", {}, is_nested=True):
                result = judge(data, folds, trial, config)
                mlflow.set_tag("is_pruned", str(result is None))
            finish(study, trial, result)
            found = "pruned" if result is None else f"loss {result.loss:.5f}, AUC {result.auc:.3f}"
            say("", f"trial {trial.number}: {found}")
        choice = choose_parameters(candidates_of(study), n_rows_of(folds))
        shares = importances(study, tuning.seed)
        mlflow.log_metrics({f"importance_{name}": share for name, share in shares.items()})
        mlflow.log_metric("log_loss", choice.candidate.result.loss)
        mlflow.log_text(study.trials_dataframe().to_csv(index=False), "trials.csv")
        mlflow.set_tag("reason", choice.reason)
    return choice


def judge(
    data: TrainingData,
    folds: list[Fold],
    trial: optuna.Trial,
    config: LearningConfig,
) -> TrialResult | None:
    """Judge one trial fold by fold, logging to the open run; none where it is given up early."""
    parameters = with_parameters(config.lightgbm, trial.params)
    mlflow.log_params(trial.params)
    offset, grid = offset_features(data, config), rounds_of(data, parameters, config)
    found: list[FoldResult] = []
    folds_so_far: list[dict[str, float]] = []
    for step, fold in enumerate(folds):
        seed = config.training.seed
        found.append(evaluate_fold(fold, data.encoding, parameters, offset, grid, seed))
        alone, so_far = sum_up(found[-1:], grid), sum_up(found, grid)
        mlflow.log_metrics({"fold_log_loss": alone.loss, "fold_roc_auc": alone.auc}, step=step)
        folds_so_far.append({"fold": step, "log_loss": alone.loss, "roc_auc": alone.auc})
        mlflow.log_text(json.dumps(folds_so_far, indent=1), "folds.json")
        if is_hopeless(trial, so_far.loss, step) and step + 1 < len(folds):
            return None
    mlflow.log_metrics(
        {"log_loss": so_far.loss, "roc_auc": so_far.auc, "rounds": float(so_far.rounds)}
    )
    return so_far


def rounds_of(data: TrainingData, parameters: LightGBMConfig, config: LearningConfig) -> list[int]:
    """The numbers of trees among which a training on these rows would choose."""
    stopping = data.learnt.where("split", [STOPPING]).take(MAX_SCORED_ROWS)
    return rounds_to_try(
        count_positive_rows(stopping["label"].to_numpy(), weights_in(stopping)),
        parameters.min_rounds,
        parameters.max_rounds,
        from_forecasts=bool(fit_start(data.learnt, offset_features(data, config)).slopes),
    )


def with_parameters(config: LightGBMConfig, parameters: dict[str, float]) -> LightGBMConfig:
    """The configuration of the trees with other parameters."""
    return LightGBMConfig.model_validate(config.model_dump() | parameters)


def n_rows_of(folds: list[Fold]) -> Values:
    """Judged rows of each group of users, shape (folds x groups,)."""
    return np.concatenate([fold.n_rows for fold in folds])
