"""Upkeep of one table: small files joined, files of long ago removed, its log kept so long.

The rows stay as they are, and a reader of the change feed is told of no change.
"""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from typing import Final

from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from churn_spark.contracts.tables import TableSpec
from churn_spark.lakehouse.lock_guard import require_lock
from churn_spark.lakehouse.native_rows import NO_HOOKS
from churn_spark.lakehouse.tables import Lakehouse

_HOURS: Final = 24
_LOG_KEPT: Final = "delta.logRetentionDuration"
_DELTAS_OWN_DAYS: Final = 30


def join_small_files(lakehouse: Lakehouse, spec: TableSpec, min_files: int, small: int) -> int:
    """Join the small files of each partition that has many; returns by how many they are fewer.

    Files that follow each other stay together, so that ranges of dates go on telling files apart.

    Args:
        lakehouse: with the table.
        spec: of the table.
        min_files: that small, in one partition.
        small: bytes; joined files have about as many.
    """
    require_lock()
    if not lakehouse.takes_commits([spec]):
        before = lakehouse.version(spec)
        lakehouse.compact(spec)
        return int(lakehouse.version(spec) > before)
    due = [str(key) for key in lakehouse.small_files(spec, small, min_files)]
    if not due:
        return 0
    column, *_ = *spec.partition_by, None
    # In one commit: what follows the table has one to look at.
    found = _open(lakehouse, spec).optimize.compact(
        partition_filters=[(column, "in", sorted(due))] if column else None,
        target_size=small,
        post_commithook_properties=NO_HOOKS,
    )
    lakehouse.shorten_log(spec, lakehouse.version(spec))
    return int(found["numFilesRemoved"] - found["numFilesAdded"])


def remove_old_files(
    lakehouse: Lakehouse, spec: TableSpec, keep_days: int, named: Collection[int], named_days: int
) -> int:
    """Remove files that only versions of long ago have, and those that none has ever had.

    Args:
        lakehouse: with the table.
        spec: of the table.
        keep_days: files of versions since then stay.
        named: versions whose files stay, whatever their age.
        named_days: how far these go back.

    Returns:
        The number of files removed, where that is told.
    """
    require_lock()
    if not lakehouse.takes_commits([spec]):
        # Spark knows no single versions to be kept.
        lakehouse.vacuum(spec, max(keep_days, named_days) if named else keep_days)
        return 0
    delta = _open(lakehouse, spec)
    readable = [version for version in sorted(named) if _is_readable(lakehouse, spec, version)]
    removed = delta.vacuum(
        retention_hours=keep_days * _HOURS,
        dry_run=False,
        full=True,
        keep_versions=readable or None,
        post_commithook_properties=NO_HOOKS,
    )
    return len(removed)


def keep_log(lakehouse: Lakehouse, spec: TableSpec, days: int) -> None:
    """Let the commits of so many days be kept when a checkpoint makes them needless.

    Versions older than that can't be read any more, whatever files are left.
    """
    wanted = f"interval {days} days"
    kept = lakehouse.properties(spec).get(_LOG_KEPT, f"interval {_DELTAS_OWN_DAYS} days")
    if kept != wanted and lakehouse.takes_commits([spec]):
        require_lock()
        _open(lakehouse, spec).alter.set_table_properties(
            {_LOG_KEPT: wanted}, post_commithook_properties=NO_HOOKS
        )


def _is_readable(lakehouse: Lakehouse, spec: TableSpec, version: int) -> bool:
    """Whether the log still tells what files a version has."""
    with suppress(DeltaError):
        DeltaTable(lakehouse.uri(spec), version, storage_options=lakehouse.storage_options)
        return True
    return False


def _open(lakehouse: Lakehouse, spec: TableSpec) -> DeltaTable:
    return DeltaTable(lakehouse.uri(spec), storage_options=lakehouse.storage_options)
