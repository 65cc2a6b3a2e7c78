"""Gold `snapshots` and `labels` -> LightGBM and its baseline, evaluated, logged and registered."""

from __future__ import annotations

from datetime import date as Date

from churn_spark.config import LearningConfig
from churn_spark.contracts.tables import (
    DATA_CHECKS,
    EVENTS,
    LABELS,
    SESSION_DAYS,
    SNAPSHOTS,
    TRAINING_ROWS,
    TRANSITIONS,
    VALIDATION_SCORES,
)
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.models.registry import ModelRegistry
from churn_spark.models.training import describe_evaluation
from churn_spark.pipeline import snapshots
from churn_spark.pipeline.dates import LogDates, read_log_dates, training_dates
from churn_spark.pipeline.fit import fit, register, training_key
from churn_spark.pipeline.publish import publish
from churn_spark.pipeline.training_data import label_snapshots, prepare
from churn_spark.pipeline.use_case import UseCase

USE_CASE = UseCase(
    "train_model",
    "the behaviour model, LightGBM and logistic regression, evaluated on held-out users",
    reads=(EVENTS, SESSION_DAYS, TRANSITIONS),
    writes=(SNAPSHOTS, LABELS, TRAINING_ROWS, VALIDATION_SCORES),
    leaves=("MLflow", "`champion/`"),
    reads_if_there=(DATA_CHECKS,),
)


def run(
    lakehouse: Lakehouse,
    registry: ModelRegistry,
    date: Date,
    config: LearningConfig,
    log: LogDates | None = None,
) -> str:
    """Bring the snapshots up to date and train on them; returns the model's version.

    Raises:
        MissingTableError: if no events were loaded yet.
        TooFewCancelsError: if there is too little to learn from; nothing is registered then.
    """
    USE_CASE.check_inputs(lakehouse)
    log = log or read_log_dates(lakehouse, date)
    if dates := training_dates(log, config, date):
        snapshots.run_stale(lakehouse, dates, config, log)
    return train(lakehouse, registry, date, config, log)


def train(
    lakehouse: Lakehouse,
    registry: ModelRegistry,
    date: Date,
    config: LearningConfig,
    log: LogDates,
) -> str:
    """Train both families on the snapshots there are and register LightGBM; returns its version.

    Raises:
        TooFewCancelsError: if there is too little to learn from; nothing is registered then.
    """
    with USE_CASE.start(lakehouse) as facts:
        labelled = label_snapshots(lakehouse, log, date, config)
        data = prepare(lakehouse, log, date, labelled, TRAINING_ROWS, config)
        trees, baseline = fit(data, config)
        version, alias = register(lakehouse, registry, date, data, (trees, baseline), config)
        data.release()
        n_positive = sum(data.n_positive.values())
        facts.append(f"{sum(data.n_rows.values()):,} rows, {n_positive} cancel")
        facts.append(describe_evaluation("LightGBM", trees.evaluation))
        facts.append(describe_evaluation("LR", baseline.evaluation))
        facts.append(f"version {version} is {alias}")
        if config.is_lifetime:
            facts.append("retrospective: it describes the past, it forecasts nothing")
    return version


def resume(
    lakehouse: Lakehouse, registry: ModelRegistry, date: Date, config: LearningConfig
) -> str | None:
    """The version that a training on the date has left; none where it is still to be done.

    What an interrupted training has left without registering a model is removed.
    """
    key = training_key(lakehouse, date, config)
    version = registry.find(key)
    if version is None:
        if runs := registry.delete_runs(key):
            lakehouse.replace_rows([], VALIDATION_SCORES, {"run_id": runs})
        return None
    if version != registry.champion_version():
        registry.assign_alias(version)
    publish(lakehouse, registry)
    return version
