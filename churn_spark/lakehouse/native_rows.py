"""Rows of small tables, read and written by deltalake: no Spark job, no query to plan."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable, PostCommitHookProperties, Schema, write_deltalake
from deltalake.exceptions import TableNotFoundError
from pyarrow import fs

from churn_spark.contracts.tables import TableSpec
from churn_spark.errors import OldTableError
from churn_spark.lakehouse.arrow_files import open_dataset
from churn_spark.lakehouse.arrow_schema import arrow_schema
from churn_spark.lakehouse.hdfs import is_hdfs
from churn_spark.lakehouse.lock_guard import require_lock
from churn_spark.lakehouse.room import require_room
from churn_spark.lakehouse.selection import (
    Where,
    arrow_condition,
    polars_condition,
    sql_condition,
)

NO_HOOKS: Final = PostCommitHookProperties(create_checkpoint=False, cleanup_expired_logs=False)
"""Checkpoints, and the removal of the log files that these make needless, are Spark's."""


@dataclass(frozen=True)
class NativeTable:
    """One version of a table, as its log describes it."""

    delta: DeltaTable
    spec: TableSpec

    def read(self, where: Where, columns: Sequence[str]) -> pa.Table:
        """The columns of the rows meant, with the declared types; columns of later are null."""
        schema = arrow_schema(self.spec)
        declared = pa.schema([schema.field(name) for name in columns])
        there = set(self.columns)
        if not there.issuperset(where):
            return declared.empty_table()
        rows = self._scan().filter(polars_condition(where))
        later = [pl.lit(None).alias(name) for name in columns if name not in there]
        return rows.with_columns(later).select(columns).collect().to_arrow().cast(declared)

    @property
    def columns(self) -> list[str]:
        """Names of the columns that it has."""
        return [field.name for field in self.delta.schema().fields]

    def count(self, where: Where) -> int:
        """Number of the rows meant; from the log alone where they are meant by partition."""
        files = self.files
        if set(where) <= self._partition_columns and not files["num_records"].null_count:
            chosen = files.filter(arrow_condition(where, files.schema)) if where else files
            return int(pc.sum(chosen["num_records"]).as_py() or 0)
        return len(self.read(where, [*where] or self.spec.column_names[:1]))

    def partition_values(self, column: str, null_in: str | None) -> list[Any]:
        """The values of a partition column that have rows, sorted, from the log alone.

        Args:
            column: the partition column.
            null_in: another column: only values whose files may have rows without it.
        """
        files = self.files
        if not len(files):
            return []
        chosen = pc.field("num_records") != 0
        if null_in is not None and f"null_count.{null_in}" in files.column_names:
            n_nulls = pc.field(f"null_count.{null_in}")
            chosen &= n_nulls.is_null() | (n_nulls > 0)
        return sorted(files.filter(chosen)[column].unique().to_pylist())

    def data_files(self, column: str) -> list[tuple[Any, str]]:
        """Value of a partition column and path of each file, in order; from the log alone."""
        files = self.files
        if not len(files):
            return []
        return sorted(zip(files[column].to_pylist(), files["path"].to_pylist(), strict=True))

    def small_files(self, max_bytes: int, min_files: int) -> dict[Any, int]:
        """Value of the partition column -> number of small files, where there are many.

        From the log alone; of a table without partitions all files are under None.

        Args:
            max_bytes: below which a file is small.
            min_files: so many small ones in one partition are many.
        """
        files = self.files
        column, *_ = *self.spec.partition_by, None
        sizes = files["size_bytes"].to_pylist() if len(files) else []
        keys = files[column].to_pylist() if column and sizes else [None] * len(sizes)
        n_small = Counter(key for key, size in zip(keys, sizes, strict=True) if size < max_bytes)
        return {key: n for key, n in n_small.items() if n >= min_files}

    def _scan(self) -> pl.LazyFrame:
        """All rows, by need.

        Polars takes the files' names alone, where deltalake's own datasets look at the ranges of
        each column of each file; but it looks for a path with a space as an address writes it, and
        knows no HDFS.
        """
        if is_hdfs(self.delta.table_uri):
            return pl.scan_pyarrow_dataset(open_dataset(self.delta))
        if "%" not in self.delta.table_uri:
            return pl.scan_delta(self.delta)
        path = unquote(self.delta.table_uri.removeprefix("file://"))
        files = fs.SubTreeFileSystem(path, fs.LocalFileSystem())
        return pl.scan_pyarrow_dataset(open_dataset(self.delta, files))

    @property
    def _partition_columns(self) -> set[str]:
        return set(self.delta.metadata().partition_columns)

    @property
    def files(self) -> pa.Table:
        """What the log says of each file: partition, path, size, number of rows, nulls, ranges."""
        files = pa.table(self.delta.get_add_actions(flatten=True))
        return files.rename_columns(
            [name.removeprefix("partition.") for name in files.column_names]
        )


def open_table(uri: str, options: Mapping[str, str], spec: TableSpec) -> NativeTable | None:
    """The newest version of a table; none where there is no table."""
    try:
        return NativeTable(DeltaTable(uri, storage_options=dict(options)), spec)
    except TableNotFoundError:
        return None


def properties(uri: str, options: Mapping[str, str]) -> dict[str, str]:
    """The properties of a table."""
    return dict(DeltaTable(uri, storage_options=dict(options)).metadata().configuration)


def create(uri: str, options: Mapping[str, str], spec: TableSpec) -> None:
    """Create the table, empty, as it is declared; nothing happens if it exists."""
    require_lock()
    DeltaTable.create(
        uri,
        arrow_schema(spec),
        mode="ignore",
        partition_by=list(spec.partition_by),
        description=spec.grain,
        configuration=spec.properties,
        # Some are the project's own.
        raise_if_key_not_exists=False,
        storage_options=dict(options),
        post_commithook_properties=NO_HOOKS,
    )


def replace(
    uri: str, options: Mapping[str, str], rows: pa.Table, spec: TableSpec, where: Where
) -> int:
    """Replace the rows meant in one commit, which also makes the table where it is missing.

    Returns:
        Number of the version written.

    Raises:
        OSError: if the disk has no room for them.
    """
    require_lock()
    require_room(uri, rows.nbytes)
    table = open_table(uri, options, spec)
    delta = table.delta if table else None
    write_deltalake(
        delta or uri,
        _fit(rows, delta) if delta else rows,
        partition_by=list(spec.partition_by) or None,
        mode="overwrite",
        description=None if delta else spec.grain,
        configuration=None if delta else spec.properties,
        storage_options=dict(options),
        predicate=sql_condition(where) or None,
        post_commithook_properties=NO_HOOKS,
    )
    return (delta or DeltaTable(uri, storage_options=dict(options))).version()


def active_files(uri: str, options: Mapping[str, str]) -> set[str]:
    """Paths of the data files of a table, below its folder."""
    files = pa.table(DeltaTable(uri, storage_options=dict(options)).get_add_actions())
    return {unquote(path) for path in files["path"].to_pylist()}


def vacuum(uri: str, options: Mapping[str, str], days: int) -> None:
    """Remove files that no version of the last so many days names; at least a week."""
    require_lock()
    DeltaTable(uri, storage_options=dict(options)).vacuum(
        retention_hours=24 * days, dry_run=False, post_commithook_properties=NO_HOOKS
    )


def add_columns(delta: DeltaTable, declared: pa.Schema) -> None:
    """Give a table the declared columns that it was made without."""
    there = {field.name for field in delta.schema().fields}
    later = pa.schema([field for field in declared if field.name not in there])
    if later.names:
        require_lock()
        fields = Schema.from_arrow(later).fields
        delta.alter.add_columns(fields, post_commithook_properties=NO_HOOKS)


def _fit(rows: pa.Table, delta: DeltaTable) -> pa.Table:
    """The rows with the columns of a table that is there; it gets those declared since.

    With the table's own comments: other words for a meaning would be refused.

    Raises:
        OldTableError: if the table has a column of another type.
    """
    add_columns(delta, rows.schema)
    schema = pa.schema(delta.schema().to_arrow())
    arrays = [
        rows[field.name] if field.name in rows.column_names else pa.nulls(len(rows), field.type)
        for field in schema
    ]
    try:
        return pa.table(arrays, schema=schema)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise OldTableError(
            f"the table {delta.table_uri.rstrip('/')} has a column of another type than in this "
            f"release ({error}): move the table away, and the next run creates it again"
        ) from error
