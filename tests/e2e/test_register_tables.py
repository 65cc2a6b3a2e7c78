"""Tables by name, in Spark's own Derby metastore: kept from one process to the next."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from churn_spark.contracts.tables import DATA_CHECKS
from churn_spark.monitoring.data_quality.checks import CheckResult
from churn_spark.stores.checks import write_checks
from tests.local_lakehouse import open_local

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
READ = """
from churn_spark.config import load_config
from churn_spark.runtime.session import build_session
print([row.name for row in build_session(load_config().spark, "t").table(
    "churn.monitoring_data_checks").collect()])
"""


def run(
    work: Path, *command: str, lakehouse: str = "lakehouse"
) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "LAKEHOUSE": str(work / lakehouse),
        "SPARK_CONF_DIR": str(work),
        "PYTHONPATH": str(ROOT),
    }
    # Derby makes its database in the working folder.
    return subprocess.run(
        [sys.executable, *command],
        cwd=work,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def write(work: Path, lakehouse: str, name: str) -> None:
    checks = [CheckResult(name, 0.0, "", True, "")]
    write_checks(open_local(work / lakehouse), date(2018, 10, 1), checks)


def test_tables_are_found_by_name_where_they_are_now(tmp_path: Path) -> None:
    settings = tmp_path / "spark-defaults.conf"
    settings.write_text("spark.sql.catalogImplementation hive\n")
    write(tmp_path, "lakehouse", "rows")
    for lakehouse, told in (("lakehouse", "rows"), ("moved", "nulls")):
        write(tmp_path, lakehouse, told)
        done = run(tmp_path, "-m", "jobs.register_tables", lakehouse=lakehouse)
        assert done.returncode == 0, done.stderr
        assert "in database churn, 1 new there" in done.stdout
        assert run(tmp_path, "-c", READ).stdout == f"['{told}']\n"
    assert open_local(tmp_path / "lakehouse").count_rows(DATA_CHECKS) == 1
    settings.write_text("")
    done = run(tmp_path, "-m", "jobs.register_tables")
    assert done.returncode == 2
    assert done.stderr.startswith("error: found no metastore")
