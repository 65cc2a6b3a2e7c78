"""A declared table as Polars knows it."""

from __future__ import annotations

from typing import Final

import polars as pl

from churn_spark.contracts.tables import TableSpec

TYPES: Final[dict[str, pl.DataType]] = {
    "string": pl.String(),
    "long": pl.Int64(),
    "integer": pl.Int32(),
    "double": pl.Float64(),
    "date": pl.Date(),
    "timestamp": pl.Datetime("us", "UTC"),
    "longs": pl.List(pl.Int64),
}


def schema_of(spec: TableSpec) -> dict[str, pl.DataType]:
    """Column -> its type.

    Raises:
        KeyError: if there is a type that no table of this room has.
    """
    return {column.name: TYPES[column.data_type] for column in spec.columns}
