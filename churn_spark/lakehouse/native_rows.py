"""Rows of small tables, read and written by deltalake: no Spark job, no query to plan."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable, PostCommitHookProperties, write_deltalake
from deltalake.exceptions import TableNotFoundError

from churn_spark.contracts.tables import TableSpec
from churn_spark.lakehouse.arrow_schema import arrow_schema
from churn_spark.lakehouse.selection import Where, arrow_condition, file_filters, sql_condition

_NO_HOOKS: Final = PostCommitHookProperties(create_checkpoint=False, cleanup_expired_logs=False)
"""Checkpoints, and the old log files that these make needless, are Spark's."""


def open_table(uri: str) -> DeltaTable | None:
    """The newest version of a table; none where there is no table."""
    try:
        return DeltaTable(uri)
    except TableNotFoundError:
        return None


def read(table: DeltaTable, spec: TableSpec, where: Where, columns: Sequence[str]) -> pa.Table:
    """The columns of the rows meant, with the declared types; columns of later are null."""
    schema = arrow_schema(spec)
    there = {field.name for field in table.schema().fields}
    if not there.issuperset(where):
        return pa.schema([schema.field(name) for name in columns]).empty_table()
    dataset = table.to_pyarrow_dataset(
        schema=pa.schema([field for field in schema if field.name in there]),
        file_pruning_predicate=file_filters(where, table.metadata().partition_columns) or None,
    )
    condition = arrow_condition(where, schema) if where else None
    found = dataset.to_table([name for name in columns if name in there], filter=condition)
    arrays = [
        found[name] if name in there else pa.nulls(len(found), schema.field(name).type)
        for name in columns
    ]
    return pa.table(arrays, schema=pa.schema([schema.field(name) for name in columns]))


def replace(uri: str, rows: pa.Table, spec: TableSpec, where: Where) -> int:
    """Replace the rows meant in one commit, which also makes the table or adds its later columns.

    Returns:
        Number of the version written.
    """
    table = open_table(uri)
    there = {field.name for field in table.schema().fields} if table else set()
    merge: Literal["merge"] | None = "merge" if there and there != {*rows.column_names} else None
    # A meaning that is worded otherwise than when the table was made would be refused.
    fields = [one.remove_metadata() if one.name in there else one for one in rows.schema]
    write_deltalake(
        table or uri,
        rows.cast(pa.schema(fields)),
        partition_by=list(spec.partition_by) or None,
        mode="overwrite",
        description=None if table else spec.grain,
        configuration=None if table else spec.properties,
        schema_mode=merge,
        predicate=sql_condition(where) or None,
        post_commithook_properties=_NO_HOOKS,
    )
    return (table or DeltaTable(uri)).version()


def count(table: DeltaTable, spec: TableSpec, where: Where) -> int:
    """Number of the rows meant; from the log alone where they are meant by partition."""
    files = _files(table)
    if set(where) <= {*table.metadata().partition_columns} and not files["num_records"].null_count:
        chosen = files.filter(arrow_condition(where, files.schema)) if where else files
        return int(pc.sum(chosen["num_records"]).as_py() or 0)
    return len(read(table, spec, where, [*where] or spec.column_names[:1]))


def partition_values(table: DeltaTable, column: str) -> list[Any]:
    """The values of a partition column that have rows, sorted, from the log alone."""
    files = _files(table).filter(pc.field("num_records") != 0)
    return sorted(files[column].unique().to_pylist())


def data_files(table: DeltaTable, column: str) -> list[tuple[Any, str]]:
    """Value of a partition column and path of each file, in order; from the log alone."""
    files = _files(table)
    return sorted(zip(files[column].to_pylist(), files["path"].to_pylist(), strict=True))


def to_frame(rows: pa.Table) -> pd.DataFrame:
    """The rows as Spark's `toPandas` gives them: instants without a zone, which is UTC."""
    for position, field in enumerate(rows.schema):
        if pa.types.is_timestamp(field.type):
            naive = pc.cast(rows[field.name], pa.timestamp("ns"))
            rows = rows.set_column(position, field.name, naive)
    frame: pd.DataFrame = rows.to_pandas(date_as_object=True)
    return frame


def _files(table: DeltaTable) -> pa.Table:
    files = pa.table(table.get_add_actions(flatten=True))
    return files.rename_columns([name.removeprefix("partition.") for name in files.column_names])
