"""Commits to Delta tables without Spark: files appended once, partitions replaced once.

They bypass Spark's checks of schema and constraints, so rows are conformed when their files are
written. Checkpoints of the log are left to Spark: readers of the two have disagreed about them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final, Literal

from deltalake import CommitProperties, DeltaTable, Transaction
from deltalake.exceptions import CommitFailedError
from deltalake.transaction import AddAction

from churn_spark.contracts.tables import TableSpec
from churn_spark.lakehouse import native_rows
from churn_spark.lakehouse.arrow_schema import arrow_schema
from churn_spark.lakehouse.lock_guard import require_lock
from churn_spark.lakehouse.parquet_files import StorageOptions
from churn_spark.lakehouse.selection import Where, sql_condition

_ATTEMPTS: Final = 10
_NOTE: Final = "userMetadata"
_PLAIN_FEATURES: Final = frozenset({"appendOnly", "invariants", "changeDataFeed"})
_LISTS_FEATURES: Final = 7
"""From this version of the protocol on, a table names what a writer must know."""


@dataclass(frozen=True)
class Once:
    """The name of a commit that a table takes once: a writer, and a number that only grows.

    Attributes:
        writer: who commits.
        number: of the commit; one that isn't above the writer's last is done already.
        note: kept with the commit, as JSON with the writer as its key; none if it is empty.
    """

    writer: str
    number: int
    note: str = ""


def create_table(spec: TableSpec, table: str, options: StorageOptions) -> None:
    """Create a table, empty; one that is there gets the columns that it was made without."""
    native_rows.create(table, options, spec)
    delta = DeltaTable(table, storage_options=dict(options))
    native_rows.add_columns(delta, arrow_schema(spec))


def takes_commits(table: str, options: StorageOptions) -> bool:
    """Whether a table needs nothing of who reads and writes it that only Spark does.

    Such as deletion vectors, other names of columns in the files, or checks of each row.
    """
    delta = DeltaTable(table, storage_options=dict(options))
    protocol = delta.protocol()
    features = {*(protocol.writer_features or ()), *(protocol.reader_features or ())}
    is_plain = protocol.min_writer_version < _LISTS_FEATURES or features <= _PLAIN_FEATURES
    checks = [name for name in delta.metadata().configuration if "delta.constraints." in name]
    return protocol.min_reader_version == 1 and is_plain and not checks


def append_files(
    files: Sequence[AddAction], table: str, options: StorageOptions, once: Once
) -> bool:
    """Make files part of a table, all of them in one commit, unless that was done before.

    An empty commit is one too: its number says that there was nothing to add.

    Returns:
        Whether this call made the commit.
    """
    return _commit_once(files, "append", table, options, once)


def replace_partitions(
    files: Sequence[AddAction],
    table: str,
    options: StorageOptions,
    partitions: Mapping[str, Collection[date | int | str]],
    once: Once,
) -> bool:
    """Put files in the place of all files of some partitions, in one commit, unless done before.

    Args:
        files: of these partitions.
        table: where it is.
        options: of its storage.
        partitions: partition column -> values whose files go.
        once: the commit's name.

    Returns:
        Whether this call made the commit.
    """
    filters = [(name, "in", sorted(map(str, values))) for name, values in partitions.items()]
    return _commit_once(files, "overwrite", table, options, once, filters)


def delete_rows(where: Where, table: str, options: StorageOptions) -> None:
    """Remove the rows meant; where there are none, nothing is committed.

    Files that have such rows and others are written anew, and the table's change feed, if it has
    one, tells of the removed rows alone.
    """
    require_lock()
    delta = DeltaTable(table, storage_options=dict(options))
    delta.delete(sql_condition(where), post_commithook_properties=native_rows.NO_HOOKS)


def last_number(table: str, options: StorageOptions, writer: str) -> int:
    """The number of a writer's last commit to the table; -1 where there is none."""
    if not DeltaTable.is_deltatable(table, dict(options)):
        return -1
    number = DeltaTable(table, storage_options=dict(options)).transaction_version(writer)
    return -1 if number is None else number


def table_id(table: str, options: StorageOptions) -> str:
    """The id that Delta has given the table when it was made."""
    return str(DeltaTable(table, storage_options=dict(options)).metadata().id)


def _commit_once(
    files: Sequence[AddAction],
    mode: Literal["append", "overwrite"],
    table: str,
    options: StorageOptions,
    once: Once,
    filters: list[tuple[str, str, list[str]]] | None = None,
) -> bool:
    """Commit on the newest version; after a lost race look again, for it may have been this one."""
    properties = CommitProperties(
        # Where Spark keeps it, too.
        custom_metadata={_NOTE: once.note} if once.note else None,
        app_transactions=[Transaction(once.writer, once.number)],
    )
    for attempt in range(_ATTEMPTS):
        require_lock()
        delta = DeltaTable(table, storage_options=dict(options))
        done = delta.transaction_version(once.writer)
        if done is not None and done >= once.number:
            return False
        try:
            delta.create_write_transaction(
                list(files),
                mode,
                delta.schema(),
                delta.metadata().partition_columns,
                partition_filters=filters,
                commit_properties=properties,
                post_commithook_properties=native_rows.NO_HOOKS,
            )
        except CommitFailedError:
            if attempt + 1 == _ATTEMPTS:
                raise
        else:
            break
    return True
