"""Fixtures: one lazy Spark session a process, a lakehouse per test, the sample logs."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from pyspark.sql import SparkSession

from churn_spark.config import Config, load_config
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.models.registry import ModelRegistry
from churn_spark.pipeline.context import JobContext
from churn_spark.runtime.archive import archive_options
from churn_spark.runtime.java import configure_java
from churn_spark.runtime.session import StartingSession
from tests.known_logs import find_sample_data

# A deadline of an example measures the machine: tests also run beside others, and under coverage.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")

# Run by Airflow's environment: `make test-airflow`.
collect_ignore = ["airflow"]

# Each folder of tests is a kind of test; its marker comes from where the file lies.
_KINDS = ("unit", "spark", "store", "model", "e2e", "image", "cluster", "object_stores")


# What needs Spark shares a session, of two: the tests of `store` take as long as all others, and
# a session alone leaves half of two cores idle.
_ONE_SESSION, _OTHER_SESSION = "spark: tables", "spark: all else"


# Before xdist reads the groups.
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test with the name of its folder, and with what must run in one process.

    Whatever needs Spark shares its session; the tests of another file share its fixtures.
    """
    for item in items:
        [kind] = [kind for kind in _KINDS if f"/tests/{kind}/" in str(item.path)]
        item.add_marker("stores" if kind == "object_stores" else kind)
        session = _ONE_SESSION if kind == "store" else _OTHER_SESSION
        needs_spark = "spark" in getattr(item, "fixturenames", ())
        item.add_marker(pytest.mark.xdist_group(session if needs_spark else item.path.stem))


@pytest.fixture(scope="session")
def spark() -> Iterator[SparkSession]:
    """The session: two cores, so that code meets more than one task."""
    os.environ.pop("LAKEHOUSE", None)
    config = load_config(overrides=["spark.master=local[2]", "spark.shuffle_partitions=2"])
    configure_java()
    # In the minutes that this JVM lives, its optimizing compiler takes more time than it saves.
    # Without it Java keeps 48 MB of compiled code, which Spark fills: then it compiles in circles.
    options = f"{archive_options()} -XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=240m"
    session = StartingSession(config.spark, "tests", options).wait()
    yield session
    session.stop()


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """The base configuration with a lakehouse of the test's own."""
    return load_config(overrides=[f"lakehouse={tmp_path / 'lakehouse'}"])


@pytest.fixture
def context(spark: SparkSession, config: Config) -> JobContext:
    """What jobs work with, on an empty lakehouse."""
    return JobContext(config, Lakehouse(spark, config.lakehouse))


@pytest.fixture(scope="session")
def sample_data() -> Path:
    """The folder with the real logs, for tests of figures that only these have."""
    if (folder := find_sample_data()) is None:
        pytest.skip("found no folder with the sample logs in CHURN_SAMPLE_DATA")
    return folder


@pytest.fixture(scope="session")
def chromium() -> str:
    """A Chromium to draw pages with; CI must have one where there is one to be had."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if path := shutil.which(name):
            return path
    message = "found no chromium on the path, expected one to draw the reports with: install it"
    if os.environ.get("CI") or os.environ.get("CHURN_REQUIRE_BROWSER"):
        pytest.fail(message)
    pytest.skip(message)


@pytest.fixture(scope="session")
def shared_registry(tmp_path_factory: pytest.TempPathFactory) -> ModelRegistry:
    """The registry of all that ask for one without runs: to make it takes seconds."""
    config = load_config(overrides=[f"lakehouse={tmp_path_factory.mktemp('store')}"])
    return ModelRegistry(config.registry, config.lakehouse)


@pytest.fixture
def registry(shared_registry: ModelRegistry) -> Iterator[ModelRegistry]:
    """A registry without runs."""
    yield shared_registry
    runs = shared_registry.logged_runs()
    runs.forget(runs.find(""))
