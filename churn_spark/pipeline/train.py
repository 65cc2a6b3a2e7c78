"""Gold `snapshots` and `labels` -> LightGBM and its baseline, evaluated, logged and registered."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date as Date

from churn_spark.config import LearningConfig
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
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.models.registry import UNDER_WAY, ModelRegistry
from churn_spark.models.training import describe_evaluation
from churn_spark.pipeline import snapshots
from churn_spark.pipeline.console import say
from churn_spark.pipeline.dates import LogDates, read_log_dates, refuse_ahead, training_dates
from churn_spark.pipeline.fit import announce, fit, register, training_key
from churn_spark.pipeline.labels import count_gap_cancels
from churn_spark.pipeline.publish import publish
from churn_spark.pipeline.training_data import label_snapshots, prepare
from churn_spark.pipeline.use_case import UseCase
from churn_spark.wording import count_of

USE_CASE = UseCase(
    "train_model",
    "models of behaviour and fading, LightGBM and logistic regression, evaluated on held-out users",
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
    log: LogDates | None = None,
    *,
    waits: bool = True,
) -> str:
    """Bring the snapshots up to date and train on them; returns the model's version.

    By hand, an interrupted training is finished where it has registered its model, and what it
    has left is removed where it hasn't. After one that has ended another model is trained.

    Args:
        lakehouse: with the session days and transitions.
        registry: where the runs are logged and the model is registered.
        date: nothing of it or later is learnt.
        config: of the training.
        log: its dates; read where they aren't known yet.
        waits: for the next night to judge it; false where this one does.

    Raises:
        InputError: if the date lies ahead of the log.
        MissingTableError: if no events were loaded yet.
        TooFewCancelsError: if there is too little to learn from; nothing is registered then.
    """
    USE_CASE.check_inputs(lakehouse)
    log = log or read_log_dates(lakehouse, date)
    if waits:
        # A night's own date has passed its checks.
        refuse_ahead(lakehouse, log, config, date)
        if finished := finish_interrupted(lakehouse, registry, date, config):
            version, said = finished
            say(USE_CASE.name, f"an interrupted training had registered its model: {said}")
            return version
    if dates := training_dates(log, config, date):
        snapshots.run_stale(lakehouse, dates, config, log)
    return train(lakehouse, registry, date, config, log, waits=waits)


def train(
    lakehouse: Lakehouse,
    registry: ModelRegistry,
    date: Date,
    config: LearningConfig,
    log: LogDates,
    *,
    waits: bool = True,
) -> str:
    """Train both families on the snapshots there are and register LightGBM; returns its version.

    Raises:
        TooFewCancelsError: if there is too little to learn from; nothing is registered then.
    """
    with USE_CASE.start(lakehouse) as facts:
        labelled = label_snapshots(lakehouse, log, date, config)
        data = prepare(lakehouse, log, date, labelled, TRAINING_ROWS, config)
        trees, baseline = fit(data, config)
        version = register(lakehouse, registry, date, data, (trees, baseline), config)
        key = training_key(lakehouse, date, config)
        if waits:
            said = announce(lakehouse, registry, version, key)
        else:
            registry.note_done(key)
            said = f"version {version}"
        data.release()
        n_positive = sum(data.n_positive.values())
        n_in_gap = count_gap_cancels(lakehouse, training_dates(log, config, date), config)
        facts.append(
            f"trained on {sum(data.n_rows.values()):,} rows (users by date), {n_positive} cancel; "
            f"excluded: {count_of(n_in_gap, 'row')} that cancel before the prediction window"
        )
        if data.changed is not None:
            facts.append(data.changed.describe())
        facts.append(describe_evaluation("validation: LightGBM", trees.evaluation))
        facts.append(describe_evaluation("logistic regression", baseline.evaluation))
        facts.append(said)
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
        _forget_runs(lakehouse, registry, key)
        return None
    if registry.champion_version() is None:
        registry.assign_alias(version)
    publish(lakehouse, registry)
    take(lakehouse, registry, version, date, config)
    return version


def take(
    lakehouse: Lakehouse, registry: ModelRegistry, version: str, date: Date, config: LearningConfig
) -> None:
    """Let a night have the version: where its training was interrupted, nobody finishes it now."""
    key = training_key(lakehouse, date, config)
    if registry.find({**key, **UNDER_WAY}) == version:
        registry.note_done(key)


def finish_interrupted(
    lakehouse: Lakehouse, registry: ModelRegistry, date: Date, config: LearningConfig
) -> tuple[str, str] | None:
    """The version of a training on the date that was interrupted, announced now; and that in words.

    None where there is no such version: no training was interrupted, or it has registered no model,
    and what it has left is removed.
    """
    key = training_key(lakehouse, date, config)
    begun = {**key, **UNDER_WAY}
    version = registry.find(begun)
    if version is None:
        _forget_runs(lakehouse, registry, begun)
        return None
    return version, announce(lakehouse, registry, version, key)


def _forget_runs(lakehouse: Lakehouse, registry: ModelRegistry, tags: Mapping[str, str]) -> None:
    """Remove the runs that have all these tags, after their validation scores: none stays alone."""
    if runs := registry.find_runs(tags):
        lakehouse.replace_rows([], VALIDATION_SCORES, {"run_id": runs})
        registry.delete_runs(tags)


def is_outdated(
    lakehouse: Lakehouse, registry: ModelRegistry, version: str, date: Date, config: LearningConfig
) -> bool:
    """Whether a version was trained as it would be on the date now, but on other data."""
    trained, key = registry.trained_on(version), training_key(lakehouse, date, config)
    settings = ("as_of", "configuration", "definitions")
    is_same = all(trained.get(name) == key[name] for name in settings)
    return is_same and any(trained.get(name) != value for name, value in key.items())
