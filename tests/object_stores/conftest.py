"""The stores, each with a lakehouse after four nights; and the same nights on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from every_byte import mark_log

from churn_spark.simulate.settings import SimulationSettings
from tests.known_logs import simulate
from tests.object_stores.places import Place
from tests.object_stores.servers import (
    BUCKET,
    hdfs_server,
    mlflow_server,
    postgres_server,
    s3_server,
)


@pytest.fixture(scope="session")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two months of 226 users, a folder a day; ids that are nothing else."""
    world = tmp_path_factory.mktemp("world")
    return mark_log(
        simulate(SimulationSettings(files_a_day=1), world / "log").path, world / "marked"
    )


@pytest.fixture(scope="session")
def local(log: Path, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """The nights on a disk, with the registry in the lakehouse."""
    place = Place(str(tmp_path_factory.mktemp("local")), log)
    place.live()
    return place


@pytest.fixture(scope="session")
def s3(log: Path) -> Iterator[Place]:
    """A bucket, and a registry whose files are in it and whose database is PostgreSQL."""
    with s3_server() as environment, postgres_server() as database:
        artifacts = f"s3://{BUCKET}/mlflow"
        with mlflow_server(database, artifacts, environment) as registry:
            variables = {**environment, "CHURN_TRACKING_URI": registry}
            yield Place(f"s3a://{BUCKET}", log, variables)


@pytest.fixture(scope="session")
def hdfs(log: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A cluster of one node, and a registry with a folder of files."""
    folder = tmp_path_factory.mktemp("hdfs")
    with (
        hdfs_server(folder) as address,
        postgres_server() as database,
        mlflow_server(database, str(folder / "mlflow"), {}) as registry,
    ):
        yield Place(f"{address}/churn", log, {"CHURN_TRACKING_URI": registry})


@pytest.fixture(scope="session", params=["s3", "hdfs"])
def place(request: pytest.FixtureRequest) -> Place:
    """A store after the nights."""
    found: Place = request.getfixturevalue(request.param)
    found.live()
    return found
