"""Where MLflow and Optuna keep their SQLite files when no database is configured."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from churn_spark.config import RegistryConfig
from churn_spark.config.secrets import has_password, is_readable_on_the_way
from churn_spark.errors import ConfigError

_MLFLOWS_SECRETS: Final = ("MLFLOW_TRACKING_TOKEN", "MLFLOW_TRACKING_PASSWORD")


def find_store(
    config: RegistryConfig, lakehouse: str, environment: Mapping[str, str] = os.environ
) -> Path | None:
    """The folder of the lakehouse for the MLflow store; none where another store is configured.

    Nothing is made or opened: a job that needs the store later asks this first.

    Raises:
        ConfigError: if the lakehouse isn't a local folder and no store is configured, or if its
            password or token would be readable on the way.
    """
    uri = config.tracking_uri
    if not uri:
        return sqlite_folder(lakehouse, "registry.tracking_uri to name an MLflow server")
    has_secret = has_password(uri) or any(environment.get(name) for name in _MLFLOWS_SECRETS)
    if has_secret and is_readable_on_the_way(uri):
        raise ConfigError(
            "the password or token for registry.tracking_uri would be readable on its way: "
            "expected an https:// address, or one of this machine"
        )
    return None


def sqlite_folder(lakehouse: str, instead: str) -> Path:
    """The folder of the lakehouse for SQLite files; whoever puts one there makes it.

    Args:
        lakehouse: a local folder.
        instead: the setting that names a database elsewhere, and what it names.

    Raises:
        ConfigError: if the lakehouse isn't a local folder.
    """
    if "://" in lakehouse:
        raise ConfigError(
            f"the lakehouse {lakehouse} can't hold an SQLite file; expected {instead}: set it"
        )
    return Path(lakehouse).resolve() / "mlflow"
