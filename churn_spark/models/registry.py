"""Runs and models in MLflow: what is logged, what is registered, who is champion."""

from __future__ import annotations

import os
import tempfile
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final

import lightgbm
import mlflow
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import RESOURCE_DOES_NOT_EXIST, ErrorCode
from mlflow.tracking import MlflowClient

from churn_spark.config import RegistryConfig
from churn_spark.config.secrets import has_password
from churn_spark.contracts.registry_state import RegistryState
from churn_spark.errors import InputError, StoreError
from churn_spark.lakehouse.lock_guard import require_lock
from churn_spark.models.bundle import ModelBundle, read_bundle, write_bundle
from churn_spark.models.logged_runs import LoggedRuns
from churn_spark.models.own_store import follow_lakehouse, make_store, opening
from churn_spark.models.sqlite import find_store
from churn_spark.models.trainings import Trainings

CHAMPION, CHALLENGER = "champion", "challenger"
UNDER_WAY: Final[Mapping[str, str]] = {"is_under_way": "True"}
"""Tag of a training's runs until all is done, its alias given; what an interrupted one keeps."""
_STEP = "champion_set_by"
_ERASED = "versions_erased_on"
_N_KEPT = 3
"""Bundles in memory: a champion, its challenger and the champion before it."""
_REQUIREMENTS = [f"lightgbm=={lightgbm.__version__}"]


def undated_run(version: str) -> InputError:
    """What is wrong with a version whose run, made by something else, has no as-of date."""
    return InputError(
        f"found no tag `as_of` on the run of model version {version}, expected the date that it "
        "was trained as of: set it in MLflow, or name another champion"
    )


class ModelRegistry:
    """One MLflow store: an experiment with its runs, and a registered model with its aliases."""

    def __init__(self, config: RegistryConfig, lakehouse: str) -> None:
        """Connect to the store; the default one is made in the lakehouse where it is missing.

        Raises:
            ConfigError: if the lakehouse isn't a local folder and no store is configured, or if
                its password or token would be readable on the way.
            StoreError: if the store is of another release, or its experiment was deleted.
        """
        uri = config.tracking_uri
        own = find_store(config, lakehouse)
        if own:
            own.mkdir(parents=True, exist_ok=True)
            uri = f"sqlite:///{own}/mlflow.db"
        if has_password(uri):
            # Otherwise the address of each run is printed, with the password in it.
            os.environ["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "true"
        mlflow.set_tracking_uri(uri)
        mlflow.set_registry_uri(uri)
        self._name, self._own = config.model_name, own
        self._loaded: OrderedDict[str, ModelBundle] = OrderedDict()
        with opening(uri):
            if own:
                make_store(own / "mlflow.db", own / "artifacts")
                follow_lakehouse(own / "mlflow.db", own / "artifacts", config.experiment)
            self._client = MlflowClient(uri, uri)
            self._experiment_id = self._find_experiment(
                config.experiment, str(own / "artifacts") if own else None
            )

    @contextmanager
    def run(self, name: str, tags: Mapping[str, str], *, is_nested: bool = False) -> Iterator[str]:
        """An MLflow run, or one inside the run that is open; gives its id.

        It ends as failed if the block raises.
        """
        with mlflow.start_run(
            experiment_id=self._experiment_id, run_name=name, tags=dict(tags), nested=is_nested
        ) as run:
            yield run.info.run_id

    def register(self, bundle: ModelBundle, run_id: str, metrics: Mapping[str, float]) -> str:
        """Put the bundle into the run and register it as a new version; returns the version.

        The files come first and the version last, so nothing is ever half registered.
        """
        require_lock()
        with tempfile.TemporaryDirectory() as folder:
            model_folder = Path(folder) / "model"
            mlflow.lightgbm.save_model(
                bundle.booster, str(model_folder), pip_requirements=_REQUIREMENTS
            )
            write_bundle(bundle, model_folder, metrics)
            self._client.log_artifacts(run_id, str(model_folder), "model")
        try:
            self._client.create_registered_model(self._name)
        except MlflowException as error:
            if "RESOURCE_ALREADY_EXISTS" not in str(error.error_code):
                raise
        source = f"{self._client.get_run(run_id).info.artifact_uri}/model"
        version = self._client.create_model_version(self._name, source, run_id)
        return str(version.version)

    def assign_alias(self, version: str) -> str | None:
        """Make the version champion if there is none, challenger otherwise; returns the alias.

        Given again, it stays the same. A challenger waits for the next night, which judges it. A
        retrospective model forecasts nothing and gets no alias.
        """
        require_lock()
        if self.trained_on(version).get("is_retrospective") == "True":
            return None
        alias = CHAMPION if self.champion_version() in (None, version) else CHALLENGER
        self._client.set_registered_model_alias(self._name, alias, version)
        return alias

    def set_champion(self, version: str, step: str) -> None:
        """Make the version champion, whichever it is now, and keep which step did it.

        The note comes last: where it is missing, the step was interrupted and is done again.
        """
        require_lock()
        self._client.set_registered_model_alias(self._name, CHAMPION, version)
        self.drop_challenger(version)
        self._client.set_registered_model_tag(self._name, _STEP, step)

    def drop_challenger(self, version: str) -> None:
        """Let the version, which has been judged, wait no more; another one goes on waiting."""
        if self._version_of(CHALLENGER) == version:
            self._client.delete_registered_model_alias(self._name, CHALLENGER)

    def state(self) -> RegistryState:
        """Who is champion, which decision it follows, when it was trained, and who waits."""
        version = self.champion_version()
        if version is None:
            return RegistryState()
        tags = self._client.get_registered_model(self._name).tags
        as_of = self.trained_on(version).get("as_of")
        trained = date.fromisoformat(as_of) if as_of else None
        challenger = self._version_of(CHALLENGER)
        return RegistryState(version, str(tags.get(_STEP, "")), trained, challenger)

    def trained_as_of(self, version: str) -> date:
        """The date by which everything was known that the version has learnt from.

        Raises:
            InputError: if its run, made by something else than this project, doesn't say.
        """
        as_of = self.trained_on(version).get("as_of")
        if as_of is None:
            raise undated_run(version)
        return date.fromisoformat(as_of)

    def find(self, tags: Mapping[str, str]) -> str | None:
        """The newest version whose run has all these tags; none if there is no such version."""
        ids = self.find_runs(tags)
        versions = self._client.search_model_versions(f"name = '{self._name}'") if ids else []
        found = [int(version.version) for version in versions if version.run_id in ids]
        return str(max(found)) if found else None

    def find_runs(self, tags: Mapping[str, str]) -> list[str]:
        """Ids of the runs that have all these tags."""
        condition = " and ".join(f"tags.{name} = '{value}'" for name, value in tags.items())
        runs = self._client.search_runs([self._experiment_id], condition)
        return [run.info.run_id for run in runs]

    def delete_runs(self, tags: Mapping[str, str]) -> list[str]:
        """Delete the runs that have all these tags, as MLflow does, to be restored; gives ids."""
        runs = self.find_runs(tags)
        for run_id in runs:
            self._client.delete_run(run_id)
        return runs

    def note_done(self, tags: Mapping[str, str]) -> None:
        """Note that a training, whose runs have all these tags, is not under way any more."""
        for run_id in self.find_runs({**tags, **UNDER_WAY}):
            for name in UNDER_WAY:
                self._client.delete_tag(run_id, name)

    def keep_text(self, name: str, tags: Mapping[str, str], file: str, text: str) -> None:
        """Log a text as a file of a run of its own; one that has the tags already is replaced.

        Args:
            name: of the run.
            tags: what it is known by. With `as_of` and `configuration` it is forgotten as
                trainings are.
            file: name of the file.
            text: its content.
        """
        require_lock()
        if self.read_text(tags, file) == text:
            return
        self.delete_runs(tags)
        with self.run(name, tags) as run_id:
            self._client.log_text(run_id, text, file)

    def read_text(self, tags: Mapping[str, str], file: str) -> str | None:
        """The file of the run that has all these tags; none if there is no such run or file."""
        for run_id in self.find_runs(tags):
            with tempfile.TemporaryDirectory() as folder:
                try:
                    found = mlflow.artifacts.download_artifacts(
                        run_id=run_id, artifact_path=file, dst_path=folder
                    )
                except (OSError, MlflowException):
                    continue
                return Path(found).read_text(encoding="utf-8")
        return None

    def note_erasure(self) -> None:
        """Note with every run that the versions of tables that it names are there no more."""
        today = str(datetime.now(UTC).date())
        token: str | None = None
        while token != "":
            found = self._client.search_runs([self._experiment_id], page_token=token)
            for run in found:
                self._client.set_tag(run.info.run_id, _ERASED, today)
            token = found.token or ""

    def trainings(self) -> Trainings:
        """The runs of all trainings."""
        aliased = (self._version_of(alias) for alias in (CHAMPION, CHALLENGER))
        return Trainings(self.logged_runs(), self._name, {one for one in aliased if one})

    def logged_runs(self) -> LoggedRuns:
        """The runs of whatever was logged."""
        artifacts = self._own / "artifacts" if self._own else None
        return LoggedRuns(self._client, self._experiment_id, artifacts)

    def run_of(self, version: str) -> str:
        """Id of the run that trained the version."""
        return str(self._client.get_model_version(self._name, version).run_id)

    def champion_version(self) -> str | None:
        """Version of the champion; none before the first training."""
        return self._version_of(CHAMPION)

    def trained_on(self, version: str) -> Mapping[str, str]:
        """What the version's run says of itself: as-of date, label, rows, table versions."""
        tags = self._client.get_run(self.run_of(version)).data.tags
        return {
            name: value
            for name, value in tags.items()
            if not name.startswith("mlflow.") and name not in UNDER_WAY
        }

    def load(self, version: str) -> ModelBundle:
        """The bundle of a version, whatever its alias is by now; read once, as it never changes.

        Raises:
            StoreError: if its files are gone.
        """
        if version not in self._loaded:
            with tempfile.TemporaryDirectory() as folder:
                path = self._download(version, folder)
                self._loaded[version] = read_bundle(path, version)
            while len(self._loaded) > _N_KEPT:
                self._loaded.popitem(last=False)
        self._loaded.move_to_end(version)
        return self._loaded[version]

    def _version_of(self, alias: str) -> str | None:
        """The version that has an alias; none where none has it."""
        try:
            found = self._client.get_model_version_by_alias(self._name, alias)
        except MlflowException as error:
            missing = ErrorCode.Name(RESOURCE_DOES_NOT_EXIST), "INVALID_PARAMETER_VALUE"
            if error.error_code in missing:
                return None
            raise
        return str(found.version)

    def _find_experiment(self, name: str, artifacts: str | None) -> str:
        found = self._client.get_experiment_by_name(name)
        if found is None:
            return str(self._client.create_experiment(name, artifact_location=artifacts))
        if found.lifecycle_stage != "active":
            raise StoreError(
                f"found the MLflow experiment {name} deleted, expected it active: restore it by "
                f"`mlflow experiments restore --experiment-id {found.experiment_id}`, or set "
                "registry.experiment to another name"
            )
        return str(found.experiment_id)

    def _download(self, version: str, folder: str) -> Path:
        run_id = self.run_of(version)
        try:
            return Path(
                mlflow.artifacts.download_artifacts(
                    run_id=run_id, artifact_path="model", dst_path=folder
                )
            )
        except (OSError, MlflowException) as error:
            place = self._client.get_run(run_id).info.artifact_uri
            if "://" in place or Path(place, "model").exists():
                raise
            raise StoreError(
                f"found no files of model version {version} in {place}, expected what its "
                "training left there: restore them, or train anew in a lakehouse without the "
                "folder mlflow"
            ) from error
