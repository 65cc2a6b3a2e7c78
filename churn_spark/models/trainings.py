"""The runs of all trainings in an MLflow store: what they say, and those of long ago forgotten."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from mlflow.entities import Run, ViewType

from churn_spark.models.logged_runs import LoggedRuns

_CONFIGURATION: Final = "configuration"
"""Tag that each run of a training has."""
_KEY: Final = ("as_of", "version_events", _CONFIGURATION)
"""Tags that the runs of one training have in common."""


@dataclass(frozen=True)
class Trainings:
    """The runs of the trainings of one registered model.

    Attributes:
        runs: of the experiment that they are logged to.
        model: name of the registered model.
        in_use: versions that have an alias.
    """

    runs: LoggedRuns
    model: str
    in_use: Collection[str]

    def read(self, first: date | None) -> list[Mapping[str, str]]:
        """What each says of itself that is of a date or later, or whose model is in use.

        Args:
            first: the date; none for all.
        """
        needed = self._runs_of(self.in_use)
        return [
            run.data.tags
            for run in self._find(ViewType.ACTIVE_ONLY)
            if first is None or run.info.run_id in needed or _as_of(run) >= first
        ]

    def forget(self, first: date, needed: Collection[str]) -> list[str]:
        """Forget those before a date, with their models; gives the ids of their runs.

        Killed in the middle, it is finished by the next call.

        Args:
            first: the date.
            needed: versions that are kept, as those are that are in use.
        """
        kept_runs = self._runs_of({*needed, *self.in_use})
        runs = self._find(ViewType.ALL)
        # With a model stays the simple one that it was compared with.
        kept = {_key(run) for run in runs if run.info.run_id in kept_runs}
        old = {
            run.info.run_id: run for run in runs if _as_of(run) < first and _key(run) not in kept
        }
        for one in self._versions():
            if one.run_id in old:
                self.runs.client.delete_model_version(self.model, one.version)
        self.runs.forget(old.values())
        return sorted(old)

    def versions(self) -> set[str]:
        """All versions of the model."""
        return {str(one.version) for one in self._versions()}

    def _runs_of(self, versions: Collection[str]) -> set[str]:
        return {one.run_id for one in self._versions() if str(one.version) in versions}

    def _versions(self) -> list[Any]:
        return list(self.runs.client.search_model_versions(f"name = '{self.model}'"))

    def _find(self, view: int) -> list[Run]:
        """All runs of trainings that say as of when."""
        found = self.runs.find(f"tags.{_CONFIGURATION} != ''", view)
        return [run for run in found if run.data.tags.get("as_of")]


def _as_of(run: Run) -> date:
    return date.fromisoformat(run.data.tags["as_of"])


def _key(run: Run) -> tuple[str | None, ...]:
    return tuple(run.data.tags.get(name) for name in _KEY)
