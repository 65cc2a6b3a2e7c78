"""The tables of a lakehouse as Python alone reads them: for jobs that are done in seconds."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime
from pathlib import Path
from typing import Final

from deltalake.fs import DeltaStorageHandler
from pyarrow.fs import PyFileSystem

from churn_spark.contracts.champion import POINTER, Published
from churn_spark.contracts.tables import TABLES, TableSpec
from churn_spark.errors import InputError
from churn_spark.lakehouse.hdfs import answers, is_hdfs
from churn_spark.lakehouse.location import native_root, storage_options
from churn_spark.lakehouse.native_rows import NativeTable, open_table
from churn_spark.monitoring.freshness.lateness import (
    ENDING_JOBS,
    RUN_COLUMNS,
    EndedRun,
    newest_finished,
)
from churn_spark.stores.erasures import PENDING, Erasure

AT_ONCE: Final = 8
"""Tables that are looked at beside each other: on object storage each look is a wait."""


def find_root(lakehouse: str) -> str:
    """The folder as deltalake names it.

    Raises:
        InputError: if only Spark reaches it.
    """
    root = native_root(lakehouse if "://" in lakehouse else f"file:{Path(lakehouse).resolve()}")
    if root is None and is_hdfs(lakehouse) and not answers(lakehouse):
        raise InputError(
            f"found that the cluster of {lakehouse} does not let Python in (the line above says "
            "why), expected it to, as this starts no Spark: check that its name node runs, "
            "HADOOP_CONF_DIR and the Kerberos ticket"
        )
    if root is None:
        raise InputError(
            f"found the lakehouse {lakehouse}, which Python reaches only by way of Spark; expected "
            "a local folder, object storage or HDFS: ask its tables by Spark"
        )
    return root


def open_at(root: str, spec: TableSpec) -> NativeTable | None:
    """A table of the lakehouse; none where there is none."""
    return open_table(f"{root}/{spec.path}", storage_options(root), spec)


def open_all(root: str, specs: Iterable[TableSpec] = TABLES) -> dict[TableSpec, NativeTable]:
    """The tables of the lakehouse that are there, in the order of the flow."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        tables = {spec: pool.submit(open_at, root, spec) for spec in specs}
    opened = {spec: table.result() for spec, table in tables.items()}
    return {spec: table for spec, table in opened.items() if table is not None}


def require_tables(root: str, there: Iterable[TableSpec]) -> None:
    """Let pass only a place that has one of the tables.

    Raises:
        InputError: if it has none.
    """
    if not [*there]:
        raise InputError(
            f"found none of this project's tables in {root}, expected a lakehouse: name it by "
            "LAKEHOUSE=dir, or make one by `make demo` or `make run`"
        )


def read_champion(root: str) -> Published | None:
    """What is published of the champion; none where nothing is, or it can't be made out."""
    content = _read_file(root, POINTER)
    try:
        return None if content is None else Published.from_json(content)
    except ValueError:
        return None


def read_pending_erasure(root: str) -> Erasure | None:
    """The erasure that was begun and not finished, if there is one."""
    content = _read_file(root, PENDING)
    return None if content is None else Erasure.from_json(content)


def read_newest_night(runs: NativeTable, now: datetime) -> date | None:
    """The newest night that has finished."""
    rows = runs.read({"job": ENDING_JOBS}, RUN_COLUMNS).to_pylist()
    return newest_finished(map(EndedRun.of_row, rows), now)


def _read_file(root: str, path: str) -> bytes | None:
    files = PyFileSystem(DeltaStorageHandler(root, storage_options(root)))
    try:
        with files.open_input_file(path) as file:
            return bytes(file.read())
    except FileNotFoundError:
        return None
