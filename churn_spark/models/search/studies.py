"""Where the trials of searches are kept, and the studies of long ago forgotten."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

import optuna

from churn_spark.config import TuningConfig
from churn_spark.models.sqlite import sqlite_folder

REGISTERED: Final = "registered"
"""Attribute of a study: the trial that was trained with, and the version it has become."""


def storage_url(config: TuningConfig, lakehouse: str) -> str:
    """Where trials are kept: as configured, or an SQLite file in the lakehouse.

    Raises:
        ConfigError: if the lakehouse isn't a local folder and no storage is configured.
    """
    if config.storage:
        return config.storage
    folder = sqlite_folder(lakehouse, "tuning.storage to name a database")
    folder.mkdir(parents=True, exist_ok=True)
    return f"sqlite:///{folder}/optuna.db"


def forget_studies(url: str, names: Collection[str], versions: Collection[str]) -> set[str]:
    """Forget studies with their trials, but those that have led to one of some versions.

    Args:
        url: where they are.
        names: of the studies.
        versions: of the registered model.

    Returns:
        The names of those that are there no more, whoever has forgotten them; none where the store
        has no study at all: then they are in another one.
    """
    summaries = optuna.get_all_study_summaries(url, include_best_trial=False)
    there = {study.study_name: study.user_attrs.get(REGISTERED, {}) for study in summaries}
    if not there:
        return set()
    kept = {name for name in names if there.get(name, {}).get("version") in versions}
    for name in there.keys() & set(names) - kept:
        optuna.delete_study(study_name=name, storage=url)
    return set(names) - kept
