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
        for name in names_of(spec):
            engine.register(name, delta)
    for spec in empty:
        columns = ", ".join(f"null as {name}" for name in spec.column_names)
        engine.execute(f"create view {names_of(spec)[0]} as select {columns} where false")
    return pa.RecordBatchReader.from_stream(engine.execute(sql))
