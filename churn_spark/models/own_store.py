"""The MLflow store in a lakehouse: found where the lakehouse is now, and by a release that fits."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import mlflow
from alembic.util import CommandError
from mlflow.exceptions import MlflowException
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
from sqlalchemy import column, create_engine, func, inspect, select, table, update
from sqlalchemy.exc import DatabaseError

from churn_spark.errors import StoreError
from churn_spark.troubles import describe_trouble

_ARTIFACTS: Final = "mlflow/artifacts"
_MAKING: Final = "making-"
_EXPERIMENTS: Final = table("experiments", column("name"), column("artifact_location"))
_PLACES: Final = (
    (_EXPERIMENTS, "artifact_location"),
    (table("runs", column("artifact_uri")), "artifact_uri"),
    (table("model_versions", column("source")), "source"),
    (table("model_versions", column("storage_location")), "storage_location"),
    (table("logged_models", column("artifact_location")), "artifact_location"),
)
"""Where MLflow notes absolute paths, by table and column."""


def follow_lakehouse(store: Path, artifacts: Path, experiment: str) -> None:
    """Let a store that was moved with its lakehouse say where the files are now.

    MLflow notes absolute paths: in a lakehouse that was moved or copied it would read and write at
    the old place.

    Args:
        store: the SQLite file; nothing happens where there is none.
        artifacts: the folder of the files.
        experiment: name of the one whose files lie there.
    """
    if not store.is_file():
        return
    engine = create_engine(f"sqlite:///{store}", connect_args={"timeout": 30})
    try:
        with engine.begin() as connection:
            if not {place.name for place, _ in _PLACES} <= set(
                inspect(connection).get_table_names()
            ):
                # Another release's: whoever opens it says so.
                return
            noted = connection.execute(
                select(_EXPERIMENTS.c.artifact_location).where(_EXPERIMENTS.c.name == experiment)
            ).scalar()
            if noted is None or noted == str(artifacts) or not noted.endswith(_ARTIFACTS):
                return
            for place, name in _PLACES:
                noted_there = place.c[name]
                connection.execute(
                    update(place)
                    .where(func.substr(noted_there + "/", 1, len(noted) + 1) == f"{noted}/")
                    .values({name: str(artifacts) + func.substr(noted_there, len(noted) + 1)})
                )
    finally:
        engine.dispose()


def make_store(store: Path, artifacts: Path) -> None:
    """Make the store in which MLflow keeps its runs, whole or not at all.

    MLflow makes its tables one by one. Where that was interrupted, by a full disk or a kill, it
    couldn't open what it had left.

    Args:
        store: the SQLite file; nothing happens where there is one.
        artifacts: the folder of the files.
    """
    if store.exists():
        return
    for left in store.parent.glob(f"{_MAKING}*"):
        shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=_MAKING, dir=store.parent) as folder:
        made = Path(folder) / store.name
        new = SqlAlchemyStore(f"sqlite:///{made}", str(artifacts))  # type: ignore[no-untyped-call]
        new.engine.dispose()
        # Unlike a rename, a link doesn't take the place of another process's.
        with suppress(FileExistsError):
            os.link(made, store)


@contextmanager
def opening(uri: str) -> Iterator[None]:
    """Say in one line why a store can't be opened.

    Raises:
        StoreError: if it is of another release of MLflow, or no store.
    """
    try:
        yield
    except (CommandError, DatabaseError) as error:
        if describe_trouble(error):
            # The machine's, such as a full disk: whoever runs this says it.
            raise
        raise _unfit(uri, error) from error
    except MlflowException as error:
        if "database schema" not in str(error) and "revision" not in str(error):
            raise
        raise _unfit(uri, error) from error


def _unfit(uri: str, error: Exception) -> StoreError:
    reason = " ".join(str(error).split())[:200]
    return StoreError(
        f"the MLflow store can't be opened with MLflow {mlflow.__version__}, the installed release "
        f"({reason}): if an older release has made it, make a backup and run `mlflow db upgrade "
        f"{uri}`; if a newer one has, restore the backup from before"
    )
