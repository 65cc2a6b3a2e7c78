"""Questions in SQL to the tables of a lakehouse: no Spark, nothing written, rows as they come."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

import pyarrow as pa

from churn_spark.contracts.tables import BUILT_LISTS, TABLES, TableSpec
from churn_spark.errors import QueryError
from churn_spark.lakehouse.sql import execute, find_named, is_reading, names_of
from churn_spark.pipeline.saved_queries import find_saved, list_saved
from churn_spark.pipeline.tables_without_spark import find_root, open_all, require_tables
from churn_spark.pipeline.use_case import UseCase

USE_CASE = UseCase(
    "query",
    "any question in SQL, and saved ones, as table, CSV or JSON; without Spark",
    takes=("the tables that it names",),
)
_NO_TABLE: Final = re.compile(r"table 'datafusion\.(?:public\.)?([^']+)' not found")
_NO_SCHEMA: Final = re.compile(r"failed to resolve schema: (\S+)")
_NO_COLUMN: Final = re.compile(r"No field named (.+?)\.(?:\s|$)")
_COLUMNS: Final = re.compile(r"Valid fields are (.+?)\.\s*$", re.DOTALL)
_MAX_CHARS: Final = 500
_YOUNG: Final = (BUILT_LISTS,)
"""Tables that a lakehouse of an earlier release lacks until its next night."""


@dataclass(frozen=True)
class Answer:
    """The rows that a question gives, to be read once.

    Attributes:
        schema: of the rows.
        batches: that are read as they are asked for.
    """

    schema: pa.Schema
    batches: Iterator[pa.RecordBatch]


def run(lakehouse: str, sql: str, or_empty: Collection[TableSpec] = ()) -> Answer:
    """Ask a lakehouse.

    Args:
        lakehouse: as configured.
        sql: one statement that reads.
        or_empty: tables that have no rows where no run has written them.

    Raises:
        InputError: if only Spark reaches the lakehouse, or it has no table.
        QueryError: if the statement does something else than to read, or names what isn't there;
            also by the batches, where reading fails.
    """
    if not is_reading(sql):
        start = " ".join(sql.split())[:60]
        raise QueryError(
            f"{start!r} is no SQL statement that only reads: use SELECT, WITH, VALUES, DESCRIBE "
            "table or EXPLAIN of one of them; for a saved query write --saved NAME"
        )
    root = find_root(lakehouse)
    named = find_named(sql, TABLES)
    there = open_all(root, named)
    empty = [spec for spec in named if spec in or_empty and spec not in there]
    with _explained(root):
        reader = execute(sql, {spec: table.delta for spec, table in there.items()}, empty)
    return Answer(reader.schema, _read(reader, root))


def run_saved(lakehouse: str, name: str) -> Answer:
    """Ask a lakehouse, of this release or an earlier one, a saved query.

    Raises:
        InputError: if only Spark reaches the lakehouse, or it has no table.
        QueryError: if there is no such query, or it names what isn't there.
    """
    return run(lakehouse, find_saved(name).sql, _YOUNG)


def list_tables(lakehouse: str) -> Answer:
    """The tables that are there: name, what a row is, and the names of the columns.

    Raises:
        InputError: if there is none, or only Spark reaches the lakehouse.
    """
    root = find_root(lakehouse)
    there = open_all(root)
    require_tables(root, there)
    rows = [(names_of(spec)[0], spec.grain, table.columns) for spec, table in there.items()]
    return _told(("table", "one_row_is", "columns"), rows)


def list_saved_queries() -> Answer:
    """The saved queries: name and what each answers."""
    return _told(("saved", "answers"), [(one.name, one.about) for one in list_saved()])


def _told(names: Sequence[str], rows: Iterable[Sequence[object]]) -> Answer:
    table = pa.Table.from_pylist([dict(zip(names, row, strict=True)) for row in rows])
    return Answer(table.schema, iter(table.to_batches()))


def _read(reader: pa.RecordBatchReader, root: str) -> Iterator[pa.RecordBatch]:
    with _explained(root):
        yield from reader


@contextmanager
def _explained(root: str) -> Iterator[None]:
    """What the engine refuses, as an error that says what was found, expected and to be done."""
    try:
        yield
    except Exception as error:
        text = str(error)
        raise QueryError(_explain(text, root)) from error


def _explain(text: str, root: str) -> str:
    if found := _NO_TABLE.search(text):
        return explain_table(found[1], root)
    if found := _NO_SCHEMA.search(text):
        return explain_table(f"{found[1]}.", root)
    if found := _NO_COLUMN.search(text):
        listed = _COLUMNS.search(text)
        return explain_column(found[1], listed[1].split(", ") if listed else [])
    told = " ".join(text.split())[:_MAX_CHARS]
    return (
        f"found a query that can't be answered ({told}), expected SQL of the tables in {root}: "
        "`query --tables` lists them with their columns"
    )


def explain_table(name: str, root: str) -> str:
    """Why a table can't be read: it isn't written yet, or there is none of that name."""
    declared = {name: spec for spec in TABLES for name in names_of(spec)}
    if name in declared:
        there = open_all(root)
        require_tables(root, there)
        spec = declared[name]
        return (
            f"found no table {names_of(spec)[0]} in {root}, which no run has written there so "
            "far, expected one that is there: `query --tables` lists them; docs/data-flow.md "
            "says what each is"
        )
    return (
        f"found no table {name}{_meant(name, _likely_tables(name))}, expected one of the "
        "lakehouse, such as ml.scores: `query --tables` lists them"
    )


def _likely_tables(name: str) -> Iterable[str]:
    """In the form in which the name was spelled; a right name of a wrong layer comes first."""
    last = re.split(r"[./]", name)[-1]
    of_other_layer = [names_of(spec)[0] for spec in TABLES if spec.name == last]
    form = 2 if "/" in name else 0 if "." in name else 1
    return of_other_layer or [names_of(spec)[form] for spec in TABLES]


def explain_column(name: str, there: list[str]) -> str:
    """Why a column can't be read: there is none of that name among those of the tables."""
    bare = name.replace('"', "").rpartition(".")[2]
    columns = sorted({one.replace('"', "").rpartition(".")[2] for one in there})
    listed = ", ".join(columns)
    if len(listed) > _MAX_CHARS:
        listed = f"{listed[:_MAX_CHARS].rpartition(', ')[0]}, ... ({len(columns)} in all)"
    return f"found no column {bare}{_meant(bare, columns)}, expected one of {listed or 'a table'}"


def _meant(name: str, known: Iterable[str]) -> str:
    close = get_close_matches(name.lower(), known, n=1)
    return f" (did you mean {close[0]}?)" if close else ""
