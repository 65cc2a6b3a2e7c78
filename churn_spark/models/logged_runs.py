"""The runs in one experiment of an MLflow store: found by what they say, and forgotten whole."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlflow.entities import Run, ViewType
from mlflow.tracking import MlflowClient


@dataclass(frozen=True)
class LoggedRuns:
    """The runs of one experiment.

    Attributes:
        client: of the store.
        experiment_id: that they are logged to.
        artifacts: folder of their files, where the store is the lakehouse's own.
    """

    client: MlflowClient
    experiment_id: str
    artifacts: Path | None

    def find(self, condition: str, view: int = ViewType.ALL) -> list[Run]:
        """All runs that fit a condition, in MLflow's words."""
        runs: list[Run] = []
        token: str | None = None
        while True:
            page = self.client.search_runs(
                [self.experiment_id], condition, run_view_type=view, page_token=token
            )
            runs += page
            token = page.token
            if not token:
                return runs

    def find_left(self, condition: str) -> list[Run]:
        """Those of which something is left to forget: a killed call may have begun with some."""
        view = ViewType.ACTIVE_ONLY if self.artifacts is None else ViewType.ALL
        return self.find(condition, view)

    def forget(self, runs: Iterable[Run]) -> None:
        """Forget runs with their files.

        Of the lakehouse's own store nothing is left of them; a server keeps what is deleted until
        its `mlflow gc`.
        """
        for run in runs:
            if run.info.lifecycle_stage == "active":
                self.client.delete_run(run.info.run_id)
            if self.artifacts is not None:
                shutil.rmtree(self.artifacts / run.info.run_id, ignore_errors=True)
                # What `mlflow gc` does, which also removes experiments that others have deleted.
                store: Any = self.client._tracking_client.store
                store._hard_delete_run(run.info.run_id)
