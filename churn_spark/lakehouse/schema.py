"""A declared table as Spark knows it: its schema, and the check that rows fit it."""

from __future__ import annotations

from collections.abc import Iterable

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from churn_spark.contracts.tables import TableSpec
from churn_spark.lakehouse.fit import require_fit

_REASON = T.StructType(
    [
        T.StructField("feature", T.StringType()),
        T.StructField("direction", T.StringType()),
        T.StructField("contribution", T.DoubleType()),
        T.StructField("value", T.DoubleType()),
        T.StructField("typical", T.DoubleType()),
        T.StructField("level", T.StringType()),
        T.StructField("typical_level", T.StringType()),
    ]
)
_TYPES: dict[str, T.DataType] = {
    "string": T.StringType(),
    "long": T.LongType(),
    "double": T.DoubleType(),
    "date": T.DateType(),
    "timestamp": T.TimestampType(),
    "boolean": T.BooleanType(),
    "integer": T.IntegerType(),
    "strings": T.ArrayType(T.StringType()),
    "longs": T.ArrayType(T.LongType()),
    "reasons": T.ArrayType(_REASON),
}


def struct_of(spec: TableSpec, names: Iterable[str] | None = None) -> T.StructType:
    """The Spark schema of a table; every column is nullable, as Delta writes them.

    Args:
        spec: the table.
        names: of the columns, in this order; all where there are none.
    """
    fields = {
        c.name: T.StructField(c.name, _TYPES[c.data_type], True, {"comment": c.meaning})
        for c in spec.columns
    }
    return T.StructType([fields[name] for name in (fields if names is None else names)])


def conform(frame: DataFrame, spec: TableSpec) -> DataFrame:
    """The frame with exactly the columns of `spec`, in order.

    Raises:
        SchemaError: if columns are missing, extra or of another type; all are listed.
    """
    found = [(field.name, field.dataType.simpleString()) for field in frame.schema.fields]
    expected = {field.name: field.dataType.simpleString() for field in struct_of(spec).fields}
    require_fit(spec, found, expected)
    return frame.select(*[F.col(name) for name in spec.column_names])
