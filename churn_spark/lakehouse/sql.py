"""SQL over tables by deltalake's own engine, DataFusion: no JVM, and nothing is written.

Its dialect: https://datafusion.apache.org/user-guide/sql/
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Final

import pyarrow as pa
from deltalake import DeltaTable, QueryBuilder

from churn_spark.contracts.tables import TableSpec

_COMMENT: Final = re.compile(r"\s*(--[^\n]*(\n|$)|/\*.*?\*/)", re.DOTALL)
_QUERY: Final = r"(select|with|values)\b|\("
_READS: Final = re.compile(
    rf"\s*((explain\s+(analyze\s+)?(verbose\s+)?)?({_QUERY})|(describe|desc)\s+[\w.\"/]+\s*;?\s*$)",
    re.IGNORECASE,
)
_SQL_TYPES: Final = {
    "boolean": "boolean",
    "int": "int",
    "long": "bigint",
    "float": "float",
    "double": "double",
    "string": "varchar",
    "date": "date",
    "timestamp": "timestamp",
}
"""Types of columns -> as this engine calls them."""


def names_of(spec: TableSpec) -> tuple[str, str, str]:
    """What a table is called in SQL: `ml.scores`, `scores` and `"ml/scores"`."""
    return f"{spec.layer}.{spec.name}", spec.name, spec.path


def is_reading(sql: str) -> bool:
    """Whether a statement can do nothing but read.

    The engine would also write files (`COPY ... TO`) and read any on this machine
    (`CREATE EXTERNAL TABLE`): only what is known to read gets to it. Of several statements it
    refuses all.
    """
    start = 0
    while found := _COMMENT.match(sql, start):
        start = found.end()
    return bool(_READS.match(sql, start))


def find_named(sql: str, specs: Iterable[TableSpec]) -> list[TableSpec]:
    """The tables whose names are in a statement."""
    words = set(re.findall(r"\w+", sql.lower()))
    return [spec for spec in specs if spec.name in words]


def execute(
    sql: str, tables: Mapping[TableSpec, DeltaTable], empty: Collection[TableSpec] = ()
) -> pa.RecordBatchReader:
    """The rows that a statement gives, read as they are asked for.

    Args:
        sql: one that reads.
        tables: that it may name.
        empty: others that it may name, which have no rows.

    Raises:
        DeltaError: if it can't be planned; what fails at reading is raised by the reader.
    """
    engine = QueryBuilder()
    for layer in {spec.layer for spec in [*tables, *empty]}:
        engine.execute(f"create schema {layer}")
    for spec, delta in tables.items():
        _register(engine, spec, delta)
    for spec in empty:
        columns = ", ".join(f"null as {name}" for name in spec.column_names)
        engine.execute(f"create view {names_of(spec)[0]} as select {columns} where false")
    return pa.RecordBatchReader.from_stream(engine.execute(sql))


def _register(engine: QueryBuilder, spec: TableSpec, delta: DeltaTable) -> None:
    """Make a table known by its names; columns that it was made without are null."""
    there = {field.name for field in delta.schema().fields}
    later = [column for column in spec.columns if column.name not in there]
    if not later:
        for name in names_of(spec):
            engine.register(name, delta)
        return
    stored = f"stored_{spec.name}"
    engine.register(stored, delta)
    nulls = ", ".join(f"{_null_of(column.data_type)} as {column.name}" for column in later)
    for name in (*names_of(spec)[:2], f'"{spec.path}"'):
        engine.execute(f"create view {name} as select *, {nulls} from {stored}")


def _null_of(kind: str) -> str:
    """Nothing, of a column's type; of a nested one without any."""
    return f"cast(null as {_SQL_TYPES[kind]})" if kind in _SQL_TYPES else "null"
