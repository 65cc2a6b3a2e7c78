"""Searches of long ago: forgotten with their trials, of which the store of studies has most."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from datetime import date as Date
from typing import Final

from mlflow.entities import Run

from churn_spark.config import TuningConfig
from churn_spark.errors import ConfigError
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.models.registry import ModelRegistry
from churn_spark.pipeline.console import warn
from churn_spark.timeline import days_after
from churn_spark.wording import count_of

_LOGGED: Final = "tags.study != ''"
_TRIALS: Final = "tags.`mlflow.parentRunId` = '{}'"


def forget_searches(
    lakehouse: Lakehouse,
    registry: ModelRegistry,
    tuning: TuningConfig,
    night: Date,
    keep_days: int,
) -> int:
    """Forget searches of dates before the last so many days that nothing needs.

    Returns how many that were.

    The newest search is kept, as it may be resumed, and so is every one that has led to a model
    that is still registered: done again, it finds it.
    """
    first = days_after(night, -keep_days)
    logged = registry.logged_runs()
    searches: dict[str, list[Run]] = {}
    for run in logged.find_left(_LOGGED):
        searches.setdefault(run.data.tags["study"], []).append(run)
    last = {
        study: max((_date_of(run), run.info.start_time) for run in runs)
        for study, runs in searches.items()
    }
    newest = max(last, key=last.__getitem__, default=None)
    old = {study for study, (date, _) in last.items() if date < first and study != newest}
    gone = _forget_studies(lakehouse, registry, tuning, old)
    for study in gone:
        for run in searches[study]:
            # Those of the trials first: they are found by the run that they are of.
            logged.forget(logged.find_left(_TRIALS.format(run.info.run_id)))
            logged.forget([run])
    return len(gone)


def _forget_studies(
    lakehouse: Lakehouse, registry: ModelRegistry, tuning: TuningConfig, old: set[str]
) -> set[str]:
    """Forget the trials of old searches; gives those whose runs may go."""
    if not old:
        return set()
    # A second of imports, on the few nights that need them.
    from optuna.exceptions import OptunaError
    from sqlalchemy.exc import SQLAlchemyError

    from churn_spark.models.search.studies import forget_studies, storage_url

    try:
        url = storage_url(tuning, lakehouse.root)
        return forget_studies(url, old, registry.trainings().versions())
    except (OptunaError, SQLAlchemyError, ConfigError, ImportError, RuntimeError) as error:
        # No night fails because the store of trials, which it doesn't need, can't be opened.
        warn(
            f"{count_of(len(old), 'old search', 'old searches')} left for the next time, as the "
            f"store of their trials, tuning.storage, can't be opened: {type(error).__name__}"
        )
        return set()


def _date_of(run: Run) -> Date:
    """As of when a search was; of one of an earlier release, when it was begun."""
    with suppress(ValueError):
        if told := run.data.tags.get("date"):
            return Date.fromisoformat(told)
    return datetime.fromtimestamp(run.info.start_time / 1000, UTC).date()
