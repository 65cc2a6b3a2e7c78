"""Rows of small tables through Spark, for storage that deltalake doesn't reach."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession

from churn_spark.contracts.tables import TableSpec
from churn_spark.lakehouse.schema import struct_of
from churn_spark.lakehouse.selection import Where, spark_condition


def read(rows: DataFrame, where: Where, columns: Sequence[str]) -> pd.DataFrame:
    """The columns of the rows meant."""
    return rows.filter(spark_condition(where)).select(*columns).toPandas()


def count(rows: DataFrame, where: Where) -> int:
    """Number of the rows meant."""
    return rows.filter(spark_condition(where)).count()


def partition_values(rows: DataFrame, column: str) -> list[Any]:
    """The values of a column, sorted."""
    return sorted(row[0] for row in rows.select(column).distinct().collect())


def to_spark(spark: SparkSession, rows: pa.Table, spec: TableSpec) -> DataFrame:
    """The rows as a frame; what is missing stays apart from what is no number."""
    values = list(zip(*(column.to_pylist() for column in rows.columns), strict=True))
    return spark.createDataFrame(values, struct_of(spec))
