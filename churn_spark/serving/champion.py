"""Which model answers: the published champion, exchanged while requests go on."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from churn_spark.config import ScoringConfig
from churn_spark.contracts.champion import Published
from churn_spark.errors import NoChampionError, RequestError
from churn_spark.serving.predictor import Predictor, build_predictor
from churn_spark.serving.published import ChampionSource

_RETRY_S: Final = 60.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Failure:
    published: Published
    again_at: float


class ChampionWatch:
    """Holds the predictor; `look` exchanges it when another champion is published.

    The exchange is one assignment, after the new model has been loaded and checked: a request
    sees the old one or the new one whole. While a new model is broken the old one goes on.

    Attributes:
        predictor: what answers now; None before the first champion.
        problem: why the published champion isn't the one that answers; empty if it is.
    """

    def __init__(
        self,
        source: ChampionSource,
        config: ScoringConfig,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Nothing is read before the first look.

        Args:
            source: of the champion.
            config: limits of the risk bands.
            clock: seconds, never going back.
        """
        self.predictor: Predictor | None = None
        self.problem = "the champion has not been looked for yet"
        self._source, self._config, self._clock = source, config, clock
        self._loaded: Published | None = None
        self._failure: _Failure | None = None

    def look(self) -> None:
        """Look once which champion is published; whatever goes wrong becomes `problem`."""
        try:
            published = self._source.newest()
        except NoChampionError as error:
            self._say(str(error))
        except Exception as error:
            self._say(f"the published champion can't be read: {error}")
        else:
            if published == self._loaded:
                self.problem, self._failure = "", None
            elif not self._is_waiting(published):
                self._load(published)

    def current(self) -> Predictor:
        """What answers now.

        Raises:
            RequestError: before the first champion, with status 503.
        """
        if self.predictor is None:
            raise RequestError(f"no model answers yet: {self.problem}", 503)
        return self.predictor

    def _load(self, published: Published) -> None:
        version = published.version
        try:
            bundle = self._source.load(published)
            self.predictor = build_predictor(bundle, self._config, published.trained_on)
        except Exception as error:
            self._failure = _Failure(published, self._clock() + _RETRY_S)
            self._say(f"version {version} is champion and can't answer: {error}")
        else:
            self.problem, self._failure, self._loaded = "", None, published
            _log.info("model version %s answers now", version)

    def _is_waiting(self, published: Published) -> bool:
        failure = self._failure
        return bool(failure and failure.published == published and self._clock() < failure.again_at)

    def _say(self, problem: str) -> None:
        if problem != self.problem:
            _log.warning("%s", problem)
        self.problem = problem
