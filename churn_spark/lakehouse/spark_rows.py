"""Rows of small tables through Spark, for storage that deltalake doesn't reach."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from churn_spark.contracts.tables import TableSpec
from churn_spark.lakehouse.schema import struct_of
from churn_spark.lakehouse.selection import Where, spark_condition


def select(rows: DataFrame, where: Where, columns: Sequence[str]) -> DataFrame:
    """The columns of the rows meant."""
    return rows.filter(spark_condition(where)).select(*columns)


def count(rows: DataFrame, where: Where) -> int:
    """Number of the rows meant."""
    return rows.filter(spark_condition(where)).count()


def values(rows: DataFrame, column: str, null_in: str | None) -> list[Any]:
    """The values of a column, sorted; only of rows without a value in another, if one is named."""
    chosen = rows if null_in is None else rows.filter(F.col(null_in).isNull())
    return sorted(row[0] for row in chosen.select(column).distinct().collect())


def to_spark(spark: SparkSession, rows: pa.Table, spec: TableSpec) -> DataFrame:
    """The rows as a frame; what is missing stays apart from what is no number."""
    tuples = list(zip(*(column.to_pylist() for column in rows.columns), strict=True))
    return spark.createDataFrame(tuples, struct_of(spec))
