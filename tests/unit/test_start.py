"""A job starts its JVM before it imports its libraries, and says what kept it from starting."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from churn_spark.config import load_config
from churn_spark.errors import MachineError
from churn_spark.runtime import session

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
