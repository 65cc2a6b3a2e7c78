"""A job starts its JVM before it imports its libraries, and says what kept it from starting."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from churn_spark.config import load_config
from churn_spark.errors import MachineError
from churn_spark.runtime import jars, session

ROOT = Path(__file__).parents[2]
WITHOUT_SPARK = {
    "_command",
    "_options",
    "_simulation_options",
    "_simulation_settings",
    "check_freshness",
    "serve",
    "status",
}
# They simulate small worlds without any JVM.
SIMULATING = {"simulate_events", "reveal_truth"}
JOBS = {path.stem for path in (ROOT / "jobs").glob("[!_]*.py")} - WITHOUT_SPARK - SIMULATING


def test_jobs_import_no_heavy_library_before_the_jvm_starts() -> None:
    imports = ", ".join(f"jobs.{name}" for name in sorted(JOBS))
    heavy = "{'pyspark', 'mlflow', 'pandas', 'matplotlib', 'scipy', 'lightgbm', 'polars'}"
    code = f"import sys, {imports}; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert len(JOBS) > 15
    assert done.stdout == "[]\n"


@pytest.fixture
def without_java(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine on which nothing starts."""

    def fail() -> None:
        raise MachineError("found no Java")

    monkeypatch.delenv("PYSPARK_GATEWAY_PORT", raising=False)
    monkeypatch.setattr(session, "configure_java", fail)


def test_start_is_refused_where_it_is_waited_for(without_java: None) -> None:
    starting = session.StartingSession(load_config().spark, "test")
    with pytest.raises(MachineError, match="found no Java"):
        starting.wait()
    starting.stop()


def test_python_workers_find_the_packages_from_any_folder(
    without_java: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", "/own")
    session.StartingSession(load_config().spark, "test").stop()
    assert os.environ["PYTHONPATH"] == os.pathsep.join([str(ROOT), "/own"])


def test_options_of_the_jvm_stay_whole_when_a_path_has_a_space(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    config = load_config().spark
    monkeypatch.setenv("CHURN_CONF_DIR", str(tmp_path / "my conf"))
    settings = session._launch_settings(config, "", jars.PACKAGES)
    # Spark's launcher cuts them as a shell does, and Java takes what has no dash for a class.
    options = shlex.split(settings["spark.driver.extraJavaOptions"])
    assert {option[0] for option in options} == {"-"}
    [log4j] = [option for option in options if option.startswith("-Dlog4j2.")]
    told = urlsplit(log4j.partition("=")[2])
    assert told.scheme == "file"
    assert unquote(told.path) == str(tmp_path / "my conf" / "log4j2.properties")
