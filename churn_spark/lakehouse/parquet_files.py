"""Parquet files scanned and written by Polars, on whatever storage Python reaches."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from churn_spark.lakehouse import hdfs

StorageOptions = Mapping[str, str]
"""How to reach the storage, in the words of `deltalake` and Polars; empty on local disks."""


def scan_files(paths: Sequence[str], options: StorageOptions, **how: Any) -> pl.LazyFrame:
    """The rows of some files of one storage.

    Polars knows no HDFS: files there come into memory whole.

    Args:
        paths: one at least.
        options: of the storage.
        how: as Polars takes it.
    """
    if hdfs.is_hdfs(paths[0]):
        return pl.scan_parquet([*map(hdfs.read_file, paths)], **how)
    return pl.scan_parquet([*paths], glob=False, storage_options=dict(options), **how)


def write_file(rows: pl.DataFrame, place: str, options: StorageOptions) -> None:
    """Write rows as a file."""
    if hdfs.is_hdfs(place):
        packed = io.BytesIO()
        rows.write_parquet(packed, compression="snappy")
        hdfs.write_file(place, packed.getvalue())
        return
    rows.write_parquet(place, compression="snappy", storage_options=dict(options), mkdir=True)
