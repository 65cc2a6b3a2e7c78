"""A declared table as Spark knows it: its schema, and the check that rows fit it."""

from __future__ import annotations

from collections.abc import Iterable

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T
from pyspark.sql.pandas.types import from_arrow_schema

from churn_spark.contracts.tables import TableSpec
from churn_spark.lakehouse.arrow_schema import arrow_schema
from churn_spark.lakehouse.fit import require_fit


def struct_of(spec: TableSpec, names: Iterable[str] | None = None) -> T.StructType:
    """The Spark schema of a table; every column is nullable, as Delta writes them.

    Args:
        spec: the table.
        names: of the columns, in this order; all where there are none.
    """
    declared = zip(spec.columns, from_arrow_schema(arrow_schema(spec)), strict=True)
    fields = {
        column.name: T.StructField(column.name, field.dataType, True, {"comment": column.meaning})
        for column, field in declared
    }
    return T.StructType([fields[name] for name in (fields if names is None else names)])


def with_doubles(schema: T.StructType, names: Iterable[str]) -> T.StructType:
    """The schema with further columns of numbers, which are in no table."""
    return T.StructType([*schema, *(T.StructField(name, T.DoubleType()) for name in names)])


def conform(frame: DataFrame, spec: TableSpec) -> DataFrame:
    """The frame with exactly the columns of `spec`, in order.

    Raises:
        SchemaError: if columns are missing, extra or of another type; all are listed.
    """
    found = [(field.name, field.dataType.simpleString()) for field in frame.schema.fields]
    expected = {field.name: field.dataType.simpleString() for field in struct_of(spec).fields}
    require_fit(spec, found, expected)
    return frame.select(*[F.col(name) for name in spec.column_names])
