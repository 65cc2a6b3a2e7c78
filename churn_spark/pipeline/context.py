"""What a run is opened with: the configuration, the lakehouse and the model registry, each once.

The JVM starts first. What a job needs besides takes as long to import, so a job imports its use
case in the block of `open_job`, and the libraries are imported here where they are used.
"""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date as Date
from functools import cached_property, partial
from typing import TYPE_CHECKING

from churn_spark.churn_words import speaking_of
from churn_spark.config import Config, load_config
from churn_spark.pipeline.console import log_to_standard_error
from churn_spark.runtime.spark_lines import choose_engine
from churn_spark.runtime.user import require_named_user

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from churn_spark.lakehouse.tables import Lakehouse
    from churn_spark.models.registry import ModelRegistry


@dataclass(frozen=True)
class JobContext:
    """What a job hands to its use case, piece by piece.

    Attributes:
        config: the whole configuration.
        opened: the lakehouse, or what waits for its session and opens it.
    """

    config: Config
    opened: Lakehouse | Callable[[], Lakehouse]

    @cached_property
    def lakehouse(self) -> Lakehouse:
        """The lakehouse, as soon as its session is up.

        Raises:
            MachineError: if Java or the jars are missing.
        """
        return self.opened() if callable(self.opened) else self.opened

    @property
    def spark(self) -> SparkSession:
        """The session that the lakehouse reads and writes with."""
        return self.lakehouse.spark

    @cached_property
    def registry(self) -> ModelRegistry:
        """The model registry, opened when it is first asked for."""
        from churn_spark.models.registry import ModelRegistry

        return ModelRegistry(self.config.registry, self.config.lakehouse)

    def open_registry_later(self) -> Callable[[], ModelRegistry]:
        """What opens the model registry when it is needed; whether there can be one is seen now.

        Raises:
            ConfigError: if the configuration names no place for it, before anything is written.
        """
        from churn_spark.models.sqlite import find_store

        find_store(self.config.registry, self.config.lakehouse)
        return lambda: self.registry


@contextmanager
def open_job(
    name: str,
    env: str,
    overrides: list[str] | None,
    date: Date | None = None,
    *,
    wait_minutes: float = 0,
    writes: bool = True,
    is_kept: bool = True,
    events: str | None = None,
) -> Iterator[JobContext]:
    """Read the configuration and let the session start meanwhile; stop it at the end.

    Whoever asks for the lakehouse has its lock until the end, so that one job at a time writes.
    What the run took and wrote since its lakehouse was opened is kept, however it ends.

    Args:
        name: of the job.
        env: name of a file of the configuration.
        overrides: of single values.
        date: that the run is about, where it was named.
        wait_minutes: for another job to end that writes.
        writes: whether it writes to the lakehouse; else it needs no lock.
        is_kept: whether it is written down what the run took.
        events: where the logs are, if that was named.

    Raises:
        ConfigError: if the configuration doesn't fit.
        MachineError: if the user has no name, or if Java or the jars are missing and the
            lakehouse is asked for.
        LockedError: if it is asked for, and another job is writing.
    """
    started = time.time()
    quiet_mlflow()
    log_to_standard_error()
    config = _settle_engine(load_config(env, overrides or ()))
    # Before the libraries: some look for the user's home when they are imported.
    require_named_user()
    from churn_spark.runtime.session import StartingSession

    places = config.lakehouse, events or config.ingest.events
    session = StartingSession(config.spark, name, places=places)
    at_end = ExitStack()

    def open_lakehouse() -> Lakehouse:
        from churn_spark.lakehouse.lock import hold_lock
        from churn_spark.lakehouse.tables import Lakehouse
        from churn_spark.pipeline.console import say
        from churn_spark.pipeline.run_record import RunRecord, recorded

        spark = session.wait()
        if writes and config.lock.required:
            tell = partial(say, name)
            lock = hold_lock(spark, config.lakehouse, name, config.lock, wait_minutes, tell)
            at_end.enter_context(lock)
        lakehouse = Lakehouse(spark, config.lakehouse, config.spark.max_local_users)
        if is_kept:
            record = RunRecord(lakehouse, config.runs, name, started, date)
            at_end.enter_context(recorded(record))
        return lakehouse

    with at_end, speaking_of(config.labels.churn):
        at_end.callback(session.stop)
        yield JobContext(config, open_lakehouse)


def quiet_mlflow() -> None:
    """Let MLflow report nothing anywhere and show no progress of its own, before it is imported."""
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    os.environ["MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"] = "false"
    # What it says of creating tables would stand between the lines of progress. By its variable:
    # it sets its loggers' level when it is imported.
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
    # In a notebook its bars want widgets, and it says so where these are missing.
    warnings.filterwarnings("ignore", message="IProgress not found")


def _settle_engine(config: Config) -> Config:
    """The configuration with the engine that this Spark has in the place of `auto`."""
    engine = choose_engine(config.lightgbm.engine)
    settled = config.lightgbm.model_copy(update={"engine": engine})
    return config.model_copy(update={"lightgbm": settled})
