"""A declared table as Arrow knows it, and rows on the driver in that form and out of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import pandas as pd
import pyarrow as pa
from pyspark.sql import Row

from churn_spark.contracts.tables import TableSpec
from churn_spark.errors import SchemaError
from churn_spark.lakehouse.fit import require_fit

_REASON: Final = pa.struct(
    [
        ("feature", pa.string()),
        ("direction", pa.string()),
        ("contribution", pa.float64()),
        ("value", pa.float64()),
        ("typical", pa.float64()),
        ("level", pa.string()),
        ("typical_level", pa.string()),
    ]
)
_TYPES: Final[dict[str, pa.DataType]] = {
    "string": pa.string(),
    "long": pa.int64(),
    "double": pa.float64(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us", tz="UTC"),
    "boolean": pa.bool_(),
    "integer": pa.int32(),
    "strings": pa.list_(pa.string()),
    "longs": pa.list_(pa.int64()),
    "reasons": pa.list_(_REASON),
}


def arrow_schema(spec: TableSpec) -> pa.Schema:
    """The Arrow schema of a table; a column's meaning becomes its comment in Delta."""
    return pa.schema(
        [pa.field(c.name, _TYPES[c.data_type], True, {"comment": c.meaning}) for c in spec.columns]
    )


def to_arrow(rows: Sequence[Any] | pd.DataFrame | pa.Table, spec: TableSpec) -> pa.Table:
    """The rows with exactly the columns of `spec`, in order.

    Args:
        rows: tuples in the order of the columns, or a frame with their names, in which a
            missing value may be NaN, or an Arrow table with their names.
        spec: of their table.

    Raises:
        SchemaError: if columns are missing or extra, or a value doesn't fit; all are listed.
    """
    if isinstance(rows, pa.Table):
        return _fitted(rows, spec)
    columns = (
        _columns_of_frame(rows, spec) if isinstance(rows, pd.DataFrame) else _columns(rows, spec)
    )
    arrays, wrong = [], []
    for field, values in zip(arrow_schema(spec), columns, strict=True):
        try:
            arrays.append(pa.array(values, field.type))
        except (pa.ArrowException, OverflowError) as error:
            wrong.append(f"{field.name} is no {field.type}: {error}")
    if wrong:
        raise _misfit(spec, f"wrong type {wrong}")
    return pa.Table.from_arrays(arrays, schema=arrow_schema(spec))


def to_frame(rows: pa.Table) -> pd.DataFrame:
    """The rows as Spark's `toPandas` gives them: instants without a zone, which is UTC."""
    frame: pd.DataFrame = _without_zone(rows).to_pandas(date_as_object=True)
    return frame


def to_rows(rows: pa.Table) -> list[Row]:
    """The rows as Spark's `collect` gives them."""
    record = Row(*rows.column_names)
    return [record(*row.values()) for row in _without_zone(rows).to_pylist()]


def _without_zone(rows: pa.Table) -> pa.Table:
    types = [pa.timestamp("us") if pa.types.is_timestamp(t) else t for t in rows.schema.types]
    return rows.cast(pa.schema(list(zip(rows.column_names, types, strict=True))))


def _columns(rows: Sequence[Any], spec: TableSpec) -> list[list[Any]]:
    n_columns = len(spec.columns)
    if found := sorted({len(row) for row in rows} - {n_columns}):
        raise _misfit(spec, f"found rows of {found} values, expected {n_columns}")
    return [[row[position] for row in rows] for position in range(n_columns)]


def _columns_of_frame(rows: pd.DataFrame, spec: TableSpec) -> list[pd.Series]:
    _check_names(list(rows.columns), spec)
    return [rows[name] for name in spec.column_names]


def _fitted(rows: pa.Table, spec: TableSpec) -> pa.Table:
    _check_names(rows.column_names, spec)
    try:
        return rows.select(spec.column_names).cast(arrow_schema(spec))
    except pa.ArrowException as error:
        raise _misfit(spec, f"wrong type: {error}") from error


def _check_names(names: list[str], spec: TableSpec) -> None:
    require_fit(spec, [(name, "") for name in names], dict.fromkeys(spec.column_names, ""))


def _misfit(spec: TableSpec, what: str) -> SchemaError:
    return SchemaError(f"rows for {spec.path} don't fit its schema: {what}")
