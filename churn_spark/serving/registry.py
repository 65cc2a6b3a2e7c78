"""The registry in the lakehouse, read as it lies there: without MLflow, and without writing.

MLflow's client costs two seconds of the start and 90 MB of memory, wants to write where
it only reads, and knows the artifacts by the absolute path they were logged to, which is
another one once the lakehouse is mounted in a container. What the service asks is one `SELECT`
of an SQLite file whose schema has a revision. As MLflow does, this refuses any other revision
than the one it knows; a test has the pinned MLflow write a registry and compares the answers.
A registry behind `registry.tracking_uri` is MLflow's own affair, and is asked through MLflow.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from churn_spark.errors import ChampionError, ConfigError, NoChampionError
from churn_spark.models.bundle import ModelBundle, read_bundle

REVISION: Final = "dc11669786a5"  # of the schema: MLflow 3.17's
_TIMEOUT_S: Final = 2.0
_VERSION: Final = """
    SELECT version FROM registered_model_aliases
    WHERE workspace = 'default' AND name = ? AND alias = 'champion'
"""
_RUN: Final = """
    SELECT run_uuid, artifact_uri FROM model_versions JOIN runs ON run_uuid = run_id
    WHERE workspace = 'default' AND model_versions.name = ? AND version = ?
"""
_TAGS: Final = "SELECT key, value FROM tags WHERE run_uuid = ? AND key NOT LIKE 'mlflow.%'"


@dataclass(frozen=True)
class _Run:
    id: str
    artifact_uri: str


class LakehouseRegistry:
    """The champion of the store that `train_model` makes in a lakehouse."""

    def __init__(self, lakehouse: Path, model_name: str) -> None:
        """Look whether the store is one that can be read.

        Raises:
            ConfigError: if the lakehouse has no registry, or one of another revision.
        """
        self._folder = lakehouse.resolve() / "mlflow"
        self._name = model_name
        store = self._folder / "mlflow.db"
        if not store.is_file():
            raise ConfigError(
                f"no model registry at {store}, expected the one that `train_model` makes: run "
                "it, or set LAKEHOUSE"
            )
        # Without `mode=ro` SQLite would ask for the right to write.
        self._uri = f"{store.as_uri()}?mode=ro"
        found = self._ask("SELECT version_num FROM alembic_version")
        if found != [(REVISION,)]:
            raise ConfigError(
                f"the model registry at {store} has the schema {found}, expected {REVISION}: let "
                "the service and `train_model` be of one release"
            )

    def champion_version(self) -> str | None:
        """Version of the champion; none before the first training."""
        found = self._ask(_VERSION, self._name)
        return str(found[0][0]) if found else None

    def load_champion(self) -> ModelBundle:
        """The champion's bundle.

        Raises:
            NoChampionError: before the first training.
            ChampionError: if its files are gone.
        """
        version = self.champion_version()
        if version is None:
            raise NoChampionError(
                f"no champion of model {self._name!r} in the registry; expected one training to "
                "have succeeded: run `train_model`"
            )
        return read_bundle(self._model_folder(self._run_of(version)), version)

    def trained_on(self, version: str) -> Mapping[str, str]:
        """What the version's run says of itself: as-of date, label, rows, table versions."""
        return dict(self._ask(_TAGS, self._run_of(version).id))

    def _run_of(self, version: str) -> _Run:
        found = self._ask(_RUN, self._name, int(version))
        if not found:
            raise ChampionError(
                f"no run of model version {version} in the registry, expected the one that "
                "trained it: train a new model with `train_model`"
            )
        return _Run(*found[0])

    def _model_folder(self, run: _Run) -> Path:
        """In this lakehouse, wherever it was when the model was logged; else where it was then."""
        here = self._folder / "artifacts" / run.id / "artifacts" / "model"
        recorded = Path(run.artifact_uri.removeprefix("file://")) / "model"
        for folder in (here, recorded):
            if (folder / "about.json").is_file():
                return folder
        raise ChampionError(
            f"the model's files are neither in {here} nor in {recorded}, where they were logged: "
            "put them back, or train a new model with `train_model`"
        )

    def _ask(self, query: str, *values: Any) -> list[Any]:
        # A connection for each question: none is left open on a file that may be exchanged.
        with closing(sqlite3.connect(self._uri, timeout=_TIMEOUT_S, uri=True)) as connection:
            return connection.execute(query, values).fetchall()
