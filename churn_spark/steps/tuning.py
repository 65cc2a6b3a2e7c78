"""A search step by step: trials judged on folds, the choice shown, the better model registered."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import date as Date

import mlflow
import numpy as np
import optuna
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from churn_spark import job
from churn_spark.config import LightGBMConfig
from churn_spark.contracts.features.spec import BEHAVIOUR_FEATURES
from churn_spark.evaluation.date_split import DateSplit
from churn_spark.hashing import content_hash
from churn_spark.models.registry import ModelRegistry
from churn_spark.models.search.folds import Fold, build_folds, evaluate_fold, grid_of, hash_rows
from churn_spark.models.search.search import (
    candidates_of,
    finish,
    importances,
    is_hopeless,
    n_finished,
    open_study,
    search_space,
    storage_url,
    trials_left,
)
from churn_spark.models.search.tuning import (
    Choice,
    FoldResult,
    TrialResult,
    choose_parameters,
    paired_gain,
    sum_up,
)
from churn_spark.models.training import describe_evaluation
from churn_spark.steps import training

_N_SHOWN = 5
_REGISTERED = "registered"
# These follow from the log and the configuration, but are fitted anew: their last digits vary.
_REFITTED = tuple(feature.name for feature in BEHAVIOUR_FEATURES)


def tune(
    context: job.JobContext, date: Date, prepared: training.Prepared, dates: DateSplit
) -> tuple[Choice, list[str]]:
    """Search on rows that are prepared, show what was found, register what is better.

    Returns:
        The choice, and what to say of it.

    Raises:
        TooFewCancelsError: if a part of the users has too few to learn from or to judge on.
        ConfigError: if there is no place to keep the trials.
    """
    config = context.config
    url = storage_url(config.tuning, config.lakehouse)
    folds = build_folds(prepared.rows, dates, config.tuning.n_folds, config.training)
    study = open_study(url, study_name(context, prepared, dates), present_parameters(context))
    choice = search(context, prepared, folds, study)
    show(context, study, choice, n_rows_of(folds))
    facts = [f"{n_finished(study)} trials", choice.reason]
    chosen = {"trial": choice.candidate.number}
    known = study.user_attrs.get(_REGISTERED, {})
    if choice.candidate.is_present:
        return choice, [*facts, "nothing changes"]
    if known.items() >= chosen.items():
        return choice, [*facts, f"it is version {known['version']} already"]
    version, outcome = register(context, date, prepared, choice)
    study.set_user_attr(_REGISTERED, chosen | {"version": version})
    return choice, [*facts, outcome]


def study_name(context: job.JobContext, prepared: training.Prepared, dates: DateSplit) -> str:
    """A name that changes with the rows, their split or anything else a loss depends on."""
    config, rows = context.config, prepared.rows.drop(*_REFITTED)
    about = {
        "rows": hash_rows(rows),
        "features": prepared.encoding.fingerprint,
        "dates": dates.test,
        "space": config.tuning.model_dump(exclude={"n_trials", "timeout_minutes", "storage"}),
        "present": config.lightgbm.model_dump(),
        "behaviour": config.behaviour.model_dump(),
        "training": config.training.model_dump(),
        "labels": config.labels.model_dump(),
    }
    return f"tune-{content_hash(about)}"


def present_parameters(context: job.JobContext) -> dict[str, float]:
    """The values in the configuration of the parameters that are searched."""
    return context.config.lightgbm.model_dump(include=set(context.config.tuning.ranges))


def search(
    context: job.JobContext,
    prepared: training.Prepared,
    folds: list[Fold],
    study: optuna.Study,
) -> Choice:
    """Run the trials that are left, each a run inside one of MLflow, and choose among all."""
    config = context.config
    registry = ModelRegistry(config.registry, config.lakehouse)
    deadline = time.monotonic() + 60 * config.tuning.timeout_minutes
    space = search_space(config.tuning, config.lightgbm)
    with registry.run("tune_model", {"study": study.study_name}):
        # The address of a database may hold a password.
        mlflow.log_params(config.tuning.model_dump(exclude={"storage"}))
        for trial in trials_left(study, space, config.tuning, deadline):
            with registry.run(f"trial {trial.number}", {}, is_nested=True):
                result = judge(context, prepared, folds, trial)
                mlflow.set_tag("is_pruned", str(result is None))
            finish(study, trial, result)
            found = "pruned" if result is None else f"loss {result.loss:.5f}, AUC {result.auc:.3f}"
            job.say("", f"trial {trial.number}: {found}")
        choice = choose_parameters(candidates_of(study), n_rows_of(folds))
        shares = importances(study, config.tuning.seed)
        mlflow.log_metrics({f"importance_{name}": share for name, share in shares.items()})
        mlflow.log_metric("log_loss", choice.candidate.result.loss)
        mlflow.set_tag("reason", choice.reason)
    return choice


def judge(
    context: job.JobContext,
    prepared: training.Prepared,
    folds: list[Fold],
    trial: optuna.Trial,
) -> TrialResult | None:
    """Judge one trial fold by fold, logging to the open run; none where it is given up early."""
    config = tuned(context, trial.params)
    mlflow.log_params(trial.params)
    offset = training.offset_feature(context, prepared)
    found: list[FoldResult] = []
    for step, fold in enumerate(folds):
        seed = context.config.training.seed
        found.append(evaluate_fold(fold, prepared.encoding, config, offset, seed))
        alone, so_far = sum_up(found[-1:], grid_of(config)), sum_up(found, grid_of(config))
        mlflow.log_metrics({"fold_log_loss": alone.loss, "fold_roc_auc": alone.auc}, step=step)
        if is_hopeless(trial, so_far.loss, step) and step + 1 < len(folds):
            return None
    mlflow.log_metrics(
        {"log_loss": so_far.loss, "roc_auc": so_far.auc, "rounds": float(so_far.rounds)}
    )
    return so_far


def tuned(context: job.JobContext, parameters: dict[str, float]) -> LightGBMConfig:
    """The configuration of the trees with other parameters."""
    return LightGBMConfig.model_validate(context.config.lightgbm.model_dump() | parameters)


def n_rows_of(folds: list[Fold]) -> NDArray[np.int64]:
    """Test rows of each group of users, shape (folds x groups,)."""
    return np.concatenate([fold.n_rows for fold in folds])


def register(
    context: job.JobContext, date: Date, prepared: training.Prepared, choice: Choice
) -> tuple[str, str]:
    """Train with the chosen parameters as ever; returns the version and what to say of it."""
    parameters = tuned(context, dict(choice.candidate.parameters))
    changed = replace(context, config=context.config.model_copy(update={"lightgbm": parameters}))
    trees, baseline = training.fit(changed, prepared)
    version, alias = training.register(changed, date, prepared, trees, baseline)
    return (
        version,
        f"{describe_evaluation('LightGBM', trees.evaluation)}; version {version} is {alias}",
    )


def show(
    context: job.JobContext, study: optuna.Study, choice: Choice, n_rows: NDArray[np.int64]
) -> None:
    """Print what mattered, and the best trials against the present parameters."""
    candidates = candidates_of(study)
    present = next(candidate for candidate in candidates if candidate.is_present)
    shares = importances(study, context.config.tuning.seed)
    mattered = Table("parameter", "matters", "present", "best", title="What mattered")
    for name in sorted(present.parameters, key=lambda name: (-shares.get(name, 0.0), name)):
        share = f"{shares[name]:.0%}" if shares else "too few trials"
        values = (f"{c.parameters[name]:.4g}" for c in (present, candidates[0]))
        mattered.add_row(name, share, *values)
    best = Table("trial", "gain, nats a row", "loss", "AUC", "trees", title="The best trials")
    shown = candidates[:_N_SHOWN]
    for candidate in shown if present in shown else [*shown, present]:
        gain, error = paired_gain(candidate.result, present.result, n_rows)
        mark = " (present)" if candidate.is_present else ""
        chosen = " (chosen)" if candidate.number == choice.candidate.number else ""
        best.add_row(
            f"{candidate.number}{mark}{chosen}",
            "" if candidate.is_present else f"{gain:+.2e} ± {error:.1e}",
            f"{candidate.result.loss:.5f}",
            f"{candidate.result.auc:.3f}",
            str(candidate.result.rounds),
        )
    console = Console()
    console.print(mattered)
    console.print(best)
