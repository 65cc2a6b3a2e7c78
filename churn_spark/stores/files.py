"""The table `files`: which input files aren't loaded as they are by now."""

from __future__ import annotations

from collections.abc import Collection

import polars as pl

from churn_spark.contracts.tables import FILES
from churn_spark.events.readings import NOT_LOADED
from churn_spark.lakehouse.tables import Lakehouse


def read_changed_files(lakehouse: Lakehouse) -> list[str]:
    """Paths of the files that were changed after they were read, and not read again since."""
    changed = lakehouse.read_arrow(FILES, {"status": ["changed"]}, ["source_file"])
    newest = _newest(lakehouse, pl.DataFrame(changed)["source_file"].unique().to_list())
    return newest.filter(pl.col("status") == "changed")["source_file"].sort().to_list()


def measure_files(lakehouse: Lakehouse, batches: Collection[int]) -> tuple[int, int]:
    """Bytes of the files of some batches, and how many of them are in files that are now others.

    That is, which were changed since, or could not be opened.
    """
    rows = lakehouse.read_arrow(FILES, {"ingest_batch": batches}, ["source_file"])
    newest = _newest(lakehouse, pl.DataFrame(rows)["source_file"].unique().to_list())
    others = newest.filter(pl.col("status").is_in(NOT_LOADED))
    return int(newest["size_bytes"].sum()), int(others["size_bytes"].sum())


def _newest(lakehouse: Lakehouse, paths: Collection[str]) -> pl.DataFrame:
    """The newest row of each of some files."""
    rows = pl.DataFrame(lakehouse.read_arrow(FILES, {"source_file": paths}))
    return rows.sort("ingest_batch").unique("source_file", keep="last")
