"""Which model answers: the registry's champion, exchanged while requests go on."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from churn_spark.config import Config
from churn_spark.errors import NoChampionError, RequestError
from churn_spark.models.bundle import ModelBundle
from churn_spark.serving.predictor import Predictor, build_predictor
from churn_spark.serving.registry import LakehouseRegistry

_RETRY_S: Final = 60.0
_log = logging.getLogger(__name__)


class Registry(Protocol):
    """What the watch needs of a model registry."""

    def champion_version(self) -> str | None:
        """Version of the champion; none before the first training."""

    def load_champion(self) -> ModelBundle:
        """The champion's bundle."""

    def trained_on(self, version: str) -> Mapping[str, str]:
        """What the version's run says of itself."""


def connect_registry(config: Config) -> Registry:
    """The registry; one that isn't there is not created.

    Raises:
        ConfigError: if the lakehouse has no registry, or can't hold one.
    """
    if config.registry.tracking_uri or "://" in config.lakehouse:
        # Here and not above: two seconds and 90 MB, not needed for the registry in the lakehouse.
        from churn_spark.models.registry import ModelRegistry

        return ModelRegistry(config.registry, config.lakehouse)
    return LakehouseRegistry(Path(config.lakehouse), config.registry.model_name)


@dataclass(frozen=True)
class _Failure:
    version: str
    again_at: float


class ChampionWatch:
    """Holds the predictor; `look` exchanges it when the registry has another champion.

    The exchange is one assignment, after the new model has been loaded and checked: a request
    sees the old one or the new one whole. While a new model is broken the old one goes on.

    Attributes:
        predictor: what answers now; None before the first champion.
        problem: why the registry's champion isn't the one that answers; empty if it is.
    """

    def __init__(
        self,
        config: Config,
        connect: Callable[[Config], Registry] = connect_registry,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Nothing is connected before the first look."""
        self.predictor: Predictor | None = None
        self.problem = "the registry has not been asked yet"
        self._config, self._connect, self._clock = config, connect, clock
        self._registry: Registry | None = None
        self._failure: _Failure | None = None

    def look(self) -> None:
        """Ask the registry once; whatever goes wrong becomes `problem`."""
        try:
            self._registry = self._registry or self._connect(self._config)
            version = self._registry.champion_version()
        except Exception as error:
            self._say(f"the registry doesn't answer: {error}")
            return
        if version is None:
            self._say("no champion in the registry: run `train_model`")
        elif self.predictor and self.predictor.bundle.version == version:
            self.problem, self._failure = "", None
        elif not self._is_waiting(version):
            self._load(self._registry, version)

    def current(self) -> Predictor:
        """What answers now.

        Raises:
            RequestError: before the first champion, with status 503.
        """
        if self.predictor is None:
            raise RequestError(f"no model answers yet: {self.problem}", 503)
        return self.predictor

    def _load(self, registry: Registry, version: str) -> None:
        try:
            bundle = registry.load_champion()
            trained_on = registry.trained_on(bundle.version)
            self.predictor = build_predictor(bundle, self._config.scoring, trained_on)
        except NoChampionError as error:
            self._say(str(error))
        except Exception as error:
            self._failure = _Failure(version, self._clock() + _RETRY_S)
            self._say(f"version {version} is champion and can't answer: {error}")
        else:
            self.problem, self._failure = "", None
            _log.info("model version %s answers now", bundle.version)

    def _is_waiting(self, version: str) -> bool:
        failure = self._failure
        return bool(failure and failure.version == version and self._clock() < failure.again_at)

    def _say(self, problem: str) -> None:
        if problem != self.problem:
            _log.warning("%s", problem)
        self.problem = problem
