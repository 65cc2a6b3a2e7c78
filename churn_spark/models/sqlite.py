"""Where MLflow and Optuna keep their SQLite files when no database is configured."""

from __future__ import annotations

from pathlib import Path

from churn_spark.errors import ConfigError


def sqlite_folder(lakehouse: str, instead: str) -> Path:
    """The folder of the lakehouse for SQLite files, made where it is missing.

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
    folder = Path(lakehouse).resolve() / "mlflow"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
