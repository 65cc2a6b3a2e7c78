"""One table: its columns and their meanings, and the check that rows fit them."""

from __future__ import annotations

from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from churn_spark.errors import SchemaError
from churn_spark.features.spec import Feature

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
}


@dataclass(frozen=True)
class Column:
    """One column: its name, a short type name and its meaning."""

    name: str
    data_type: str
    meaning: str


@dataclass(frozen=True)
class TableSpec:
    """One Delta table.

    Attributes:
        layer: folder below the lakehouse: bronze, silver, gold, ml or monitoring.
        name: folder below the layer.
        grain: what one row is.
        columns: in order.
        partition_by: columns that are replaced as a whole.
        skipping_columns: columns whose ranges Delta keeps per file; empty keeps its default.
        has_change_feed: whether later steps ask which rows changed since a version.
    """

    layer: str
    name: str
    grain: str
    columns: tuple[Column, ...]
    partition_by: tuple[str, ...] = ()
    skipping_columns: tuple[str, ...] = ()
    has_change_feed: bool = False

    @property
    def column_names(self) -> list[str]:
        """Names, in order."""
        return [column.name for column in self.columns]

    @property
    def struct(self) -> T.StructType:
        """The Spark schema; every column is nullable, as Delta writes them."""
        return T.StructType(
            [
                T.StructField(c.name, _TYPES[c.data_type], True, {"comment": c.meaning})
                for c in self.columns
            ]
        )


def conform(frame: DataFrame, spec: TableSpec) -> DataFrame:
    """The frame with exactly the columns of `spec`, in order.

    Raises:
        SchemaError: if columns are missing, extra or of another type; all are listed.
    """
    names = [field.name for field in frame.schema.fields]
    found = {field.name: field.dataType.simpleString() for field in frame.schema.fields}
    expected = {field.name: field.dataType.simpleString() for field in spec.struct.fields}
    missing = [name for name in expected if name not in found]
    extra = [name for name in names if name not in expected or names.count(name) > 1]
    wrong = [
        f"{name} is {found[name]} instead of {expected[name]}"
        for name in expected
        if name in found and found[name] != expected[name]
    ]
    if missing or extra or wrong:
        raise SchemaError(
            f"rows for {spec.layer}/{spec.name} don't fit its schema: "
            f"missing {missing}, extra {extra}, wrong type {wrong}"
        )
    return frame.select(*[F.col(name) for name in spec.column_names])


def feature_column(feature: Feature) -> Column:
    """The column of a feature, as its declaration describes it."""
    return Column(
        feature.name, feature.data_type, f"{feature.meaning} ({feature.unit or 'category'})"
    )
