"""Tables by name, in Spark's own Derby metastore: kept from one process to the next."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from churn_spark.contracts.tables import DATA_CHECKS
from churn_spark.errors import InputError
from churn_spark.monitoring.data_quality.checks import CheckResult
from churn_spark.pipeline import register_tables
from churn_spark.pipeline.context import JobContext
from churn_spark.stores.checks import write_checks
from tests.local_lakehouse import open_local

ROOT = Path(__file__).resolve().parents[2]
# What is under the name, and what is once the tables of another lakehouse have it.
READ_AND_MOVE = """
from churn_spark.config import load_config
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.pipeline import register_tables
from churn_spark.runtime.session import build_session
config = load_config()
spark = build_session(config.spark, "t")
def read():
    return [row.name for row in spark.table("churn.monitoring_data_checks").collect()]
before = read()
register_tables.run(Lakehouse(spark, config.lakehouse), config.catalog)
print(before, read())
"""
# A name that somebody else has, by a statement; what is said of it, and what is left.
CLAIMED = """
import sys
from churn_spark.config import load_config
from churn_spark.errors import InputError
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.pipeline import register_tables
from churn_spark.runtime.session import build_session
config = load_config()
spark = build_session(config.spark, "t")
spark.sql("CREATE DATABASE churn")
spark.sql(sys.argv[1])
try:
    register_tables.run(Lakehouse(spark, config.lakehouse), config.catalog)
except InputError as error:
    print(error)
print([row.asDict() for row in spark.table("churn.monitoring_data_checks").collect()])
"""


def run(work: Path, lakehouse: str, *command: str) -> str:
    environment = {
        **os.environ,
        "LAKEHOUSE": str(work / lakehouse),
        "SPARK_CONF_DIR": str(work),
        "PYTHONPATH": str(ROOT),
    }
    # Derby makes its database in the working folder.
    done = subprocess.run(
        [sys.executable, *command],
        cwd=work,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def write(work: Path, lakehouse: str, name: str) -> None:
    checks = [CheckResult(name, 0.0, "", True, "")]
    write_checks(open_local(work / lakehouse), date(2018, 10, 1), checks)


@pytest.mark.slow
def test_tables_are_found_by_name_where_they_are_now(tmp_path: Path) -> None:
    (tmp_path / "spark-defaults.conf").write_text("spark.sql.catalogImplementation hive\n")
    write(tmp_path, "lakehouse", "rows")
    write(tmp_path, "moved", "nulls")
    assert "in database churn, 1 new there" in run(
        tmp_path, "lakehouse", "-m", "jobs.register_tables"
    )
    said = run(tmp_path, "moved", "-c", READ_AND_MOVE)
    assert "in database churn, 1 new there" in said
    assert said.splitlines()[-1] == "['rows'] ['nulls']"
    assert open_local(tmp_path / "lakehouse").count_rows(DATA_CHECKS) == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("CREATE TABLE {} USING DELTA AS SELECT 7 AS theirs", "a table with data of its own"),
        ("CREATE VIEW {} AS SELECT 7 AS theirs", "a view"),
    ],
)
def test_name_that_somebody_else_has_is_left_to_them(
    statement: str, told: str, tmp_path: Path
) -> None:
    (tmp_path / "spark-defaults.conf").write_text("spark.sql.catalogImplementation hive\n")
    write(tmp_path, "lakehouse", "rows")
    sql = statement.format("churn.monitoring_data_checks")
    *_, said, left = run(tmp_path, "lakehouse", "-c", CLAIMED, sql).splitlines()
    assert said.startswith(f"found {told}")
    assert left == "[{'theirs': 7}]"


def test_without_a_metastore_no_name_is_given(context: JobContext) -> None:
    with pytest.raises(InputError, match="found no metastore"):
        register_tables.run(context.lakehouse, context.config.catalog)
