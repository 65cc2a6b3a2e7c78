"""Gold `snapshots` and `labels` -> better parameters for LightGBM, if there are any, as challenger.

Every trial is evaluated on users whom its trees have not seen, on dates after those they have
learnt from; the validation users take no part. The features are those of a training as of the
date, the same for every trial: losses compare trials, they are no forecast of a test.
"""

from __future__ import annotations

from datetime import date as Date

from churn_spark.config import LearningConfig, TuningConfig
from churn_spark.contracts.tables import (
    CONTACTS,
    DATA_CHECKS,
    EVENTS,
    LABELS,
    RETENTION_LISTS,
    SESSION_DAYS,
    SNAPSHOTS,
    TRAINING_ROWS,
    TRANSITIONS,
    VALIDATION_SCORES,
)
from churn_spark.evaluation.date_split import DateSplit, split_dates
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.models.registry import ModelRegistry
from churn_spark.models.search.folds import build_folds
from churn_spark.models.search.search import n_finished, open_study
from churn_spark.models.search.studies import REGISTERED, storage_url
from churn_spark.models.search.tuning import (
    Choice,
)
from churn_spark.models.training import describe_evaluation
from churn_spark.pipeline import snapshots, train
from churn_spark.pipeline.dates import read_log_dates, refuse_ahead, training_dates
from churn_spark.pipeline.fit import announce, fit, register, training_key
from churn_spark.pipeline.training_data import TrainingData, label_snapshots, prepare
from churn_spark.pipeline.tune_tables import show_trials
from churn_spark.pipeline.tune_trials import (
    n_rows_of,
    present_parameters,
    search,
    study_name,
    with_parameters,
)
from churn_spark.pipeline.use_case import UseCase

USE_CASE = UseCase(
    "tune_model",
    "better parameters, where they are clearly better; a killed run goes on where it ended",
    reads=(EVENTS, SESSION_DAYS, TRANSITIONS),
    writes=(SNAPSHOTS, LABELS, TRAINING_ROWS, VALIDATION_SCORES),
    leaves=("MLflow", "`champion/`"),
    reads_if_there=(DATA_CHECKS, RETENTION_LISTS, CONTACTS),
)


def run(
    lakehouse: Lakehouse,
    registry: ModelRegistry,
    date: Date,
    config: LearningConfig,
    tuning: TuningConfig,
) -> Choice:
    """Run the trials that are left, choose, and register a challenger if one is better.

    Raises:
        InputError: if the date lies ahead of the log.
        MissingTableError: if no events were loaded yet.
        TooFewDatesError: if the dates can't be parted into train and test dates.
        TooFewCancelsError: if there is too little to learn from or to test on.
        ConfigError: if there is no place to keep the trials.
    """
    USE_CASE.check_inputs(lakehouse)
    log = read_log_dates(lakehouse, date)
    refuse_ahead(lakehouse, log, config, date)
    known = training_dates(log, config, date)
    dates = split_dates(known, config.labels.horizon, tuning.n_dates)
    snapshots.run_stale(lakehouse, known, config, log)
    with USE_CASE.start(lakehouse) as facts:
        labelled = label_snapshots(lakehouse, log, date, config)
        data = prepare(lakehouse, log, date, labelled, TRAINING_ROWS, config)
        choice, found = tune(lakehouse, registry, date, data, dates, config, tuning)
        facts.extend(found)
        data.release()
    return choice


def tune(
    lakehouse: Lakehouse,
    registry: ModelRegistry,
    date: Date,
    data: TrainingData,
    dates: DateSplit,
    config: LearningConfig,
    tuning: TuningConfig,
) -> tuple[Choice, list[str]]:
    """Search on rows that are prepared, show what was found, register what is better.

    Returns:
        The choice, and what to say of it.

    Raises:
        TooFewCancelsError: if a part of the users has too few to learn from or to judge on.
        ConfigError: if there is no place to keep the trials.
    """
    url = storage_url(tuning, lakehouse.root)
    folds = build_folds(data.learnt.spark, dates, tuning.n_folds, config.training)
    study = open_study(
        url,
        study_name(data, dates, config, tuning),
        present_parameters(config.lightgbm, tuning),
    )
    choice = search(registry, date, data, folds, study, config, tuning)
    show_trials(study, choice, n_rows_of(folds), tuning.seed)
    facts = [f"{n_finished(study)} trials", choice.reason]
    chosen = {"trial": choice.candidate.number}
    known = study.user_attrs.get(REGISTERED, {})
    if choice.candidate.is_present:
        return choice, [*facts, "nothing changes"]
    if known.items() >= chosen.items():
        return choice, [*facts, f"it is version {known['version']} already"]
    version, outcome = register_chosen(lakehouse, registry, date, data, choice, config)
    study.set_user_attr(REGISTERED, chosen | {"version": version})
    return choice, [*facts, describe_options(choice), outcome]


def register_chosen(
    lakehouse: Lakehouse,
    registry: ModelRegistry,
    date: Date,
    data: TrainingData,
    choice: Choice,
    config: LearningConfig,
) -> tuple[str, str]:
    """Train with the chosen parameters; returns the version and a fact for the closing line.

    Nothing is trained where that was done before, or by a search that was killed after it.
    """
    parameters = with_parameters(config.lightgbm, dict(choice.candidate.parameters))
    changed = config.model_copy(update={"lightgbm": parameters})
    key = training_key(lakehouse, date, changed)
    if finished := train.finish_interrupted(lakehouse, registry, date, changed):
        return finished
    if (known := registry.find(key)) is not None:
        return known, f"it is version {known} already"
    trees, baseline = fit(data, changed)
    version = register(lakehouse, registry, date, data, (trees, baseline), changed)
    said = announce(lakehouse, registry, version, key)
    return version, f"{describe_evaluation('LightGBM', trees.evaluation)}; {said}"


def describe_options(choice: Choice) -> str:
    """How to train with the chosen parameters from now on: a search changes no configuration."""
    options = (
        f"--set lightgbm.{name}={value}" for name, value in choice.candidate.parameters.items()
    )
    return f"to keep them for later trainings: {' '.join(options)}, or in conf/"
