"""The tables of a lakehouse as Python alone reads them: for jobs that are done in seconds."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path

from churn_spark.contracts.tables import TableSpec
from churn_spark.errors import InputError
from churn_spark.lakehouse.location import native_root, storage_options
from churn_spark.lakehouse.native_rows import NativeTable, open_table
from churn_spark.monitoring.freshness.lateness import (
    ENDING_JOBS,
    RUN_COLUMNS,
    EndedRun,
    newest_finished,
)


def find_root(lakehouse: str) -> str:
    """The folder as deltalake names it.

    Raises:
        InputError: if only Spark reaches it.
    """
    root = native_root(lakehouse if "://" in lakehouse else f"file:{Path(lakehouse).resolve()}")
    if root is None:
        raise InputError(
            f"found the lakehouse {lakehouse}, which Python reaches only by way of Spark; expected "
            "a local folder, object storage or HDFS: ask its tables by Spark"
        )
    return root


def open_at(root: str, spec: TableSpec) -> NativeTable | None:
    """A table of the lakehouse; none where there is none."""
    return open_table(f"{root}/{spec.path}", storage_options(root), spec)


def read_newest_night(runs: NativeTable, now: datetime) -> date | None:
    """The newest night that has finished."""
    rows = runs.read({"job": ENDING_JOBS}, RUN_COLUMNS).to_pylist()
    return newest_finished(map(EndedRun.of_row, rows), now)
