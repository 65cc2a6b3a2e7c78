"""What a run is opened with: the configuration, the lakehouse and the model registry, each once."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

from pyspark.sql import SparkSession

from churn_spark.config import Config, load_config
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.models.registry import ModelRegistry
from churn_spark.runtime.session import build_session


@dataclass(frozen=True)
class JobContext:
    """What a job hands to its use case, piece by piece."""

    config: Config
    lakehouse: Lakehouse

    @property
    def spark(self) -> SparkSession:
        """The session that the lakehouse reads and writes with."""
        return self.lakehouse.spark

    @cached_property
    def registry(self) -> ModelRegistry:
        """The model registry, opened when it is first asked for."""
        return ModelRegistry(self.config.registry, self.config.lakehouse)


@contextmanager
def open_job(name: str, env: str, overrides: list[str] | None) -> Iterator[JobContext]:
    """Read the configuration and start the session; stop it at the end.

    Raises:
        ConfigError: if the configuration doesn't fit.
        MachineError: if Java or the jars are missing.
    """
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    os.environ["MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"] = "false"
    # To standard error; what the jobs do is said on standard output.
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    logging.getLogger("churn_spark").setLevel(logging.INFO)
    # Its chatter about creating tables would stand between the lines of progress.
    logging.getLogger("mlflow").setLevel(logging.WARNING)
    config = load_config(env, overrides or ())
    session = build_session(config.spark, name)
    try:
        yield JobContext(config, Lakehouse(session, config.lakehouse, config.spark.max_local_users))
    finally:
        session.stop()
