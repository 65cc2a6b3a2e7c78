"""How a lakehouse is: reachable, readable, up to date, free to be written, not in splinters."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from urllib.parse import unquote

import pyarrow as pa

from churn_spark.config import Config, LockConfig, MaintenanceConfig, ScheduleConfig
from churn_spark.contracts.tables import RUNS, TABLES, TableSpec
from churn_spark.lakehouse.arrow_schema import arrow_schema
from churn_spark.lakehouse.location import require_writable
from churn_spark.lakehouse.lock import seems_dead
from churn_spark.lakehouse.lock_tenure import Tenure
from churn_spark.lakehouse.lock_view import see_lock
from churn_spark.lakehouse.native_rows import NativeTable
from churn_spark.lakehouse.sql import execute
from churn_spark.monitoring.freshness.lateness import describe_nights, judge_nights
from churn_spark.pipeline.doctor_findings import Finding, Verdict, is_well, look
from churn_spark.pipeline.doctor_machine import judge_room
from churn_spark.pipeline.tables_without_spark import (
    find_root,
    open_at,
    read_champion,
    read_newest_night,
    read_pending_erasure,
)
from churn_spark.pipeline.use_case import UseCase
from churn_spark.stores.erasures import HOW_TO_FINISH, Erasure
from churn_spark.wording import count_of, name_some

USE_CASE = UseCase(
    "doctor",
    "whether Python, packages, Java, jars, memory and disk are as the jobs need them, and the "
    "lakehouse whole; what to do about each; without Spark",
    takes=("all tables", "the machine"),
)
Tables = Mapping[TableSpec, NativeTable]
_SHOWN: Final = 5
_MAX_CHARS: Final = 300
_ERASING: Final = "erase_user"
_RESTORE: Final = "restore the lakehouse as of one moment, whole: tables know each other's state"


def look_at_lakehouse(config: Config) -> Iterator[Finding]:
    """Whether jobs find the lakehouse as they need it.

    Raises:
        InputError: if only Spark reaches it.
    """
    root = find_root(config.lakehouse)
    yield from look("writing", lambda: _look_at_folder(root))
    opened: dict[TableSpec, NativeTable] = {}
    broken = [*_open(root, opened)]
    yield from broken
    if not opened:
        if not broken:
            yield Finding(
                "tables",
                Verdict.WARNING,
                f"none in {root} so far",
                "make some by `churn-spark demo` or `churn-spark nightly --events FILES`, or name "
                "another lakehouse by LAKEHOUSE=dir",
            )
        return
    if not broken:
        yield is_well("tables", f"{count_of(len(opened), 'table')} can be read")
    yield from look("small files", lambda: judge_files(count_small(opened, config.maintenance)))
    yield from look("lock", lambda: judge_lock(see_lock(root), config.lock))
    yield from look("erasure", lambda: _look_at_erasure(root, config.lock))
    if RUNS in opened:
        yield from look("nights", lambda: _look_at_nights(opened[RUNS], config.schedule))
    yield from look("champion", lambda: _look_at_champion(root))


def _open(root: str, opened: dict[TableSpec, NativeTable]) -> Iterator[Finding]:
    """Open the tables that are there, and tell of those that can't be read to a first row."""
    for spec in TABLES:

        def try_out(spec: TableSpec = spec) -> Iterator[Finding]:
            table = open_at(root, spec)
            if table is not None:
                found = [*judge_table(root, table)] or [*_read_first_row(table)]
                yield from found
                if not found:
                    opened[spec] = table

        yield from look(spec.path, try_out)


def judge_table(root: str, table: NativeTable) -> Iterator[Finding]:
    """Whether a table has the declared types, and, on a local disk, all its files."""
    declared, spec = arrow_schema(table.spec), table.spec
    there = pa.schema(table.delta.schema().to_arrow())
    others = [
        f"{field.name} is {there.field(field.name).type}, expected {field.type}"
        for field in declared
        if field.name in there.names and there.field(field.name).type != field.type
    ]
    if others:
        advice = "move the table away, and the next run makes it anew"
        yield Finding(spec.path, Verdict.ERROR, name_some(others, _SHOWN), advice)
    if root.startswith("/") and len(table.files):
        paths = [Path(root, spec.path, unquote(path)) for path in table.files["path"].to_pylist()]
        lost = [path.name for path in paths if not path.is_file()]
        if lost:
            found = f"{count_of(len(lost), 'file')} missing: {name_some(lost, _SHOWN)}"
            yield Finding(spec.path, Verdict.ERROR, found, _RESTORE)


def _read_first_row(table: NativeTable) -> Iterator[Finding]:
    spec = table.spec
    try:
        execute(f"select * from {spec.name} limit 1", {spec: table.delta}).read_all()
    except Exception as error:
        told = " ".join(str(error).split())[:_MAX_CHARS]
        yield Finding(spec.path, Verdict.ERROR, f"a file can't be read ({told})", _RESTORE)


def count_small(tables: Tables, config: MaintenanceConfig) -> dict[str, int]:
    """Table -> number of its small files, of partitions that have many."""
    most, many = config.small_file_bytes, config.min_small_files
    found = {spec.path: table.small_files(most, many) for spec, table in tables.items()}
    return {path: sum(n_small.values()) for path, n_small in found.items() if n_small}


def judge_files(small: Mapping[str, int]) -> Finding:
    """Whether small files are to be joined.

    Args:
        small: table -> number of small files in partitions that have many.
    """
    if not small:
        return is_well("small files", "no partition has many")
    told = [f"{n:,} in {path}" for path, n in small.items()]
    return Finding(
        "small files",
        Verdict.WARNING,
        f"many in a partition: {name_some(told, _SHOWN)}",
        "`churn-spark maintain_tables` joins them, as a night does every maintenance.every_days",
    )


def judge_lock(found: Tenure | None, config: LockConfig) -> Finding:
    """Whether a job may write: the lock is free, held by one that lives, or left by a dead one."""
    if found is None or found.holder.is_released:
        return is_well("lock", "free")
    if seems_dead(found, config):
        told = f"left by {found.describe()}: it is gone, and the next job takes the lock over"
        return is_well("lock", told)
    return Finding(
        "lock",
        Verdict.WARNING,
        f"held by {found.describe()}: other jobs that write end with 40 meanwhile",
        "wait for its end, start others with --wait MINUTES, or end that process",
    )


def judge_erasure(pending: Erasure | None, lock: Tenure | None, config: LockConfig) -> Finding:
    """Whether an erasure was interrupted, which leaves users in the lakehouse.

    Args:
        pending: the erasure that isn't finished.
        lock: the newest tenure, which may be that of this erasure.
        config: of the lock.
    """
    if pending is None:
        return is_well("erasure", "none was interrupted")
    told = f"one of {count_of(len(pending.users), 'user')}"
    if lock is not None and lock.holder.job == _ERASING and _is_held(lock, config):
        return is_well("erasure", f"{told} is under way")
    found = f"{told} was interrupted: what is left of them stays, and others can't be erased"
    return Finding("erasure", Verdict.ERROR, found, HOW_TO_FINISH)


def _is_held(lock: Tenure, config: LockConfig) -> bool:
    return not lock.holder.is_released and not seems_dead(lock, config)


def _look_at_folder(root: str) -> Iterator[Finding]:
    if not root.startswith("/"):
        yield is_well("writing", f"not tried on {root}: the first job that writes does")
        return
    require_writable(root)
    yield is_well("writing", f"this user may write to {root}")
    folder = Path(root)
    while not folder.exists():
        folder = folder.parent
    yield judge_room("disk", str(folder), shutil.disk_usage(folder).free)


def _look_at_nights(runs: NativeTable, schedule: ScheduleConfig) -> Finding:
    now = datetime.now(UTC)
    newest = read_newest_night(runs, now)
    lateness = judge_nights(newest, schedule, now)
    if lateness is None or not lateness.is_late:
        return is_well("nights", describe_nights(newest, schedule, now))
    found, _, advice = lateness.describe().rpartition(": ")
    return Finding("nights", Verdict.ERROR, found, advice)


def _look_at_erasure(root: str, config: LockConfig) -> Finding:
    # The lock first: an erasure that ends in between has forgotten what it noted.
    lock = see_lock(root)
    return judge_erasure(read_pending_erasure(root), lock, config)


def _look_at_champion(root: str) -> Finding:
    champion = read_champion(root)
    if champion is None:
        found = "none is published: nothing is scored, and the service answers nothing"
        advice = "train one by `churn-spark nightly` or `churn-spark train_model`"
        return Finding("champion", Verdict.WARNING, found, advice)
    as_of = champion.trained_on.get("as_of", "an unknown date")
    return is_well("champion", f"version {champion.version}, trained as of {as_of}")
