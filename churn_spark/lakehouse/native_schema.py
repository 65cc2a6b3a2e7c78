"""A declared table as Python's engines know it: its Delta schema, its Polars columns."""

from __future__ import annotations

from typing import Final

import polars as pl
from deltalake import Field
from deltalake.schema import PrimitiveType

from churn_spark.contracts.tables import TableSpec
from churn_spark.lakehouse.fit import require_fit

_POLARS: Final[dict[str, pl.DataType]] = {
    "string": pl.String(),
    "long": pl.Int64(),
    "double": pl.Float64(),
    "date": pl.Date(),
    "timestamp": pl.Datetime("us", "UTC"),
    "boolean": pl.Boolean(),
    "integer": pl.Int32(),
}
"""The types of the tables that Python writes without Spark; a short name is also Delta's."""


def delta_fields_of(spec: TableSpec) -> list[Field]:
    """The columns for Delta's log: what Spark writes there when it creates the table."""
    return [
        Field(one.name, PrimitiveType(one.data_type), metadata={"comment": one.meaning})
        for one in spec.columns
    ]


def polars_schema_of(spec: TableSpec) -> pl.Schema:
    """Polars' type of each column, in order."""
    return pl.Schema({one.name: _POLARS[one.data_type] for one in spec.columns})


def conform_polars(frame: pl.DataFrame, spec: TableSpec) -> pl.DataFrame:
    """The frame with exactly the columns of `spec`, in order.

    Raises:
        SchemaError: if columns are missing, extra or of another type; all are listed.
    """
    found = [(name, str(data_type)) for name, data_type in frame.schema.items()]
    expected = {name: str(data_type) for name, data_type in polars_schema_of(spec).items()}
    require_fit(spec, found, expected)
    return frame.select(spec.column_names)
