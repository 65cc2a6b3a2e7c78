"""The DAG of the night, run by Airflow itself; run by `make test-airflow` in its environment."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NIGHT = "2018-11-12"
# Stands in for spark-submit.sh: notes what it was called with, and ends once as a job does.
STAND_IN = """#!/bin/sh
printf '%s\\n' "$*" >> calls
code=$(cat "code-$1" 2> /dev/null || echo 0)
cat "said-$1" 2> /dev/null || echo "error: ends with $code"
rm -f "code-$1" "said-$1"
exit "$code"
"""


@dataclass(frozen=True)
class Airflow:
    """An Airflow of its own, with an SQLite database and one folder of DAGs."""

    home: Path
    environment: dict[str, str]

    def run(self, *arguments: str, **told: str) -> subprocess.CompletedProcess[str]:
        """Run a command of Airflow's, with further variables in its environment."""
        command = [sys.executable, "-m", "airflow", *arguments]
        environment = self.environment | told
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    def states(self) -> dict[str, str]:
        """Task -> how it ended in the newest run."""
        query = (
            "select task_id, state from task_instance where run_id = (select run_id from dag_run "
            "order by id desc limit 1)"
        )
        with closing(sqlite3.connect(self.home / "airflow.db")) as database:
            return dict(database.execute(query).fetchall())


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the stand-in for spark-submit.sh."""
    folder = tmp_path_factory.mktemp("checkout")
    script = folder / "spark-submit.sh"
    script.write_text(STAND_IN)
    script.chmod(0o755)
    return folder


@pytest.fixture(scope="session")
def airflow(tmp_path_factory: pytest.TempPathFactory, checkout: Path) -> Airflow:
    home = tmp_path_factory.mktemp("airflow")
    environment = os.environ | {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "deploy" / "airflow"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        "CHURN_SPARK_HOME": str(checkout),
        "CHURN_SPARK_EVENTS": "/logs",
        "CHURN_SPARK_LISTS": "/lists",
        "CHURN_SPARK_RETRY_SECONDS": "1",
    }
    made = Airflow(home, environment)
    done = made.run("db", "migrate")
    assert done.returncode == 0, done.stderr
    return made


@pytest.fixture(autouse=True)
def _without_calls(checkout: Path) -> Iterator[None]:
    yield
    for path in checkout.iterdir():
        if path.name != "spark-submit.sh":
            path.unlink()


def calls(checkout: Path) -> list[str]:
    return (checkout / "calls").read_text().splitlines()


def test_dag_is_read_without_an_error(airflow: Airflow) -> None:
    errors = airflow.run("dags", "list-import-errors", "--output", "json").stdout
    # Warnings come before.
    assert json.loads(errors.splitlines()[-1]) == []


def test_runs_of_a_backfill_do_their_nights_one_at_a_time(airflow: Airflow) -> None:
    code = (
        "from airflow.dag_processing.dagbag import DagBag; import os; "
        "dag = DagBag(os.environ['AIRFLOW__CORE__DAGS_FOLDER']).dags['churn_spark_nightly']; "
        "print(dag.get_task('nightly').max_active_tis_per_dag)"
    )
    command = [sys.executable, "-c", code]
    read = subprocess.run(
        command, env=airflow.environment, capture_output=True, text=True, check=False
    )
    assert read.stdout.splitlines()[-1:] == ["1"], read.stderr


def test_night_is_that_of_the_logical_date_and_its_list_follows(
    airflow: Airflow, checkout: Path
) -> None:
    done = airflow.run("dags", "test", "churn_spark_nightly", NIGHT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert calls(checkout) == [
        f"nightly --date {NIGHT} --events /logs --fail-on-alert --wait 10",
        f"build_retention_list --date {NIGHT} --csv /lists/list-{NIGHT}.csv --wait 10",
    ]
    assert airflow.states() == {"nightly": "success", "export_list": "success", "attend": "skipped"}


def test_run_by_hand_may_name_another_night(airflow: Airflow, checkout: Path) -> None:
    named = json.dumps({"as_of": "2018-11-05"})
    done = airflow.run("dags", "test", "churn_spark_nightly", NIGHT, "--conf", named)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [call.split()[2] for call in calls(checkout)] == ["2018-11-05"] * 2


@pytest.mark.parametrize(
    ("code", "n_nights", "ends"),
    [
        # Done, and somebody should look.
        (10, 1, ("success", "success", "success")),
        (20, 1, ("success", "success", "success")),
        # A retry would end the same.
        (2, 1, ("failed", "upstream_failed", "upstream_failed")),
        (30, 1, ("failed", "upstream_failed", "upstream_failed")),
        # A retry does the work.
        (1, 2, ("success", "success", "skipped")),
        (40, 2, ("success", "success", "skipped")),
    ],
)
def test_exit_code_tells_what_becomes_of_the_night(
    airflow: Airflow, checkout: Path, code: int, n_nights: int, ends: tuple[str, str, str]
) -> None:
    (checkout / "code-nightly").write_text(str(code))
    done = airflow.run("dags", "test", "churn_spark_nightly", f"2018-11-{code % 28 + 1:02}")
    tasks = ("nightly", "export_list", "attend")
    assert airflow.states() == dict(zip(tasks, ends, strict=True)), done.stdout + done.stderr
    assert [call.split()[0] for call in calls(checkout)].count("nightly") == n_nights
    assert (done.returncode == 0) == (ends[0] == "success")


@pytest.mark.parametrize(
    ("said", "state"),
    [
        ("error: found no table ml/scores in /lakehouse, expected it before", "skipped"),
        ("error: found no rows as of 2018-11-12 in ml/scores, expected some", "failed"),
        ("error: the list can't be written to /lists", "failed"),
    ],
)
def test_list_is_left_out_where_the_night_had_no_model(
    airflow: Airflow, checkout: Path, said: str, state: str
) -> None:
    (checkout / "code-build_retention_list").write_text("2")
    (checkout / "said-build_retention_list").write_text(said)
    done = airflow.run("dags", "test", "churn_spark_nightly", NIGHT)
    ends = {"nightly": "success", "export_list": state, "attend": "skipped"}
    assert airflow.states() == ends, done.stdout + done.stderr
    assert (done.returncode == 0) == (state == "skipped")


def simulated(folder: Path, *options: str) -> dict[str, str]:
    """What tells the workers of a simulated log in a folder, and of a lakehouse beside it."""
    python = Path(os.environ.get("VENV", ROOT / ".venv")) / "bin" / "python"
    simulate = [str(python), "-m", "jobs.simulate_events", "--out", str(folder / "world"), *options]
    subprocess.run(simulate, cwd=ROOT, check=True)
    return {
        "CHURN_SPARK_HOME": str(ROOT),
        "CHURN_SPARK_EVENTS": str(folder / "world" / "events"),
        "CHURN_SPARK_LISTS": str(folder),
        "LAKEHOUSE": str(folder / "lakehouse"),
    }


def test_real_night_with_too_few_cancels_is_no_failure(airflow: Airflow, tmp_path: Path) -> None:
    told = simulated(tmp_path, "--users", "60", "--days", "21")
    done = airflow.run("dags", "test", "churn_spark_nightly", "2018-10-22", **told)
    assert done.returncode == 0, done.stdout + done.stderr
    ends = {"nightly": "success", "export_list": "skipped", "attend": "skipped"}
    assert airflow.states() == ends


def test_real_night_and_the_same_again_leave_one_list(airflow: Airflow, tmp_path: Path) -> None:
    told = simulated(tmp_path, "--users", "300", "--days", "61")
    lists = []
    for _ in range(2):
        done = airflow.run("dags", "test", "churn_spark_nightly", "2018-12-01", **told)
        assert done.returncode == 0, done.stdout + done.stderr
        assert airflow.states()["export_list"] == "success"
        lists.append((tmp_path / "list-2018-12-01.csv").read_text())
    assert len(lists[0].splitlines()) > 50
    assert lists[0] == lists[1]
