"""The table `data_checks`: what was checked on each night."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from pyspark.sql import functions as F

from churn_spark.contracts.tables import DATA_CHECKS
from churn_spark.lakehouse.schema import struct_of
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.monitoring.data_quality.checks import CheckResult


def read_checks(lakehouse: Lakehouse, night: date) -> tuple[CheckResult, ...]:
    """The checks of a night by name; empty where its data were not checked."""
    if not lakehouse.exists(DATA_CHECKS):
        return ()
    rows = lakehouse.read(DATA_CHECKS).filter(F.col("run_date") == F.lit(night)).orderBy("name")
    return tuple(
        CheckResult(row.name, row.found, row.expected, row.passed, row.sentence)
        for row in rows.collect()
    )


def write_checks(lakehouse: Lakehouse, night: date, results: Sequence[CheckResult]) -> None:
    """Replace the checks of a night."""
    rows = [
        (night, one.name, float(one.found), one.expected, one.passed, one.sentence)
        for one in results
    ]
    frame = lakehouse.spark.createDataFrame(rows, struct_of(DATA_CHECKS))
    lakehouse.replace(frame, DATA_CHECKS, {"run_date": [night]})
