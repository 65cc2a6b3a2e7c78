"""A declared table as Polars knows it: its columns, and the check that a frame fits it."""

from __future__ import annotations

import polars as pl

from churn_spark.contracts.tables import TableSpec
from churn_spark.lakehouse.arrow_schema import arrow_schema
from churn_spark.lakehouse.fit import require_fit


def polars_schema_of(spec: TableSpec) -> pl.Schema:
    """Polars' type of each column, in order."""
    return pl.DataFrame(arrow_schema(spec).empty_table()).schema


def conform_polars(frame: pl.DataFrame, spec: TableSpec) -> pl.DataFrame:
    """The frame with exactly the columns of `spec`, in order.

    Raises:
        SchemaError: if columns are missing, extra or of another type; all are listed.
    """
    found = [(name, str(data_type)) for name, data_type in frame.schema.items()]
    expected = {name: str(data_type) for name, data_type in polars_schema_of(spec).items()}
    require_fit(spec, found, expected)
    return frame.select(spec.column_names)
