"""The files of a table that is cut into buckets, and the rows of some dates in them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final
from urllib.parse import unquote

import polars as pl
import pyarrow as pa
from deltalake import DeltaTable

from churn_spark.contracts.tables import TableSpec
from churn_spark.lakehouse.parquet_files import StorageOptions, scan_files
from churn_spark.lakehouse.polars_schema import polars_schema_of

_ANY_WRITER: Final = pl.ScanCastOptions(datetime_cast=("nanosecond-downcast", "convert-timezone"))
"""Spark writes an instant as one to the nanosecond, without a time zone."""


@dataclass(frozen=True)
class BucketFiles:
    """The files of one bucket.

    Attributes:
        paths: of the files.
        n_rows: rows in them.
    """

    paths: tuple[str, ...]
    n_rows: int


def list_paths(delta: DeltaTable, table: str) -> list[str]:
    """The data files of a table, as Polars takes them.

    deltalake's own names of them are percent-encoded, also where it is a local path.
    """
    return [f"{table}/{unquote(path)}" for path in _describe_files(delta).get_column("path")]


def list_bucket_files(delta: DeltaTable, table: str, dates: Collection[date]) -> list[BucketFiles]:
    """The files of each bucket that may have rows of some dates; from the log alone.

    Args:
        delta: a table with `bucket`, its partition, and ranges of `event_date`.
        table: where it is.
        dates: the dates.
    """
    files = _describe_files(delta)
    if files.is_empty():
        return []
    days = pl.Series(sorted(dates), dtype=pl.Date)
    first, last = files.get_column("min.event_date"), files.get_column("max.event_date")
    # Of the dates, more begin before the end of the file than end before its begin.
    has_date = days.search_sorted(last, "right") > days.search_sorted(first, "left")
    paths = pl.Series("path", list_paths(delta, table), pl.String)
    chosen = files.with_columns(paths).filter(has_date | first.is_null() | last.is_null())
    by_bucket = (
        chosen.group_by("partition.bucket")
        .agg("path", pl.col("num_records").sum())
        .sort(pl.first())
    )
    return [BucketFiles(tuple(paths), n_rows) for _, paths, n_rows in by_bucket.iter_rows()]


def _describe_files(delta: DeltaTable) -> pl.DataFrame:
    return pl.DataFrame(pa.table(delta.get_add_actions(flatten=True)))


def read_dates(
    files: BucketFiles,
    dates: Collection[date],
    spec: TableSpec,
    columns: Sequence[str],
    options: StorageOptions,
) -> pl.DataFrame:
    """The rows of some dates in the files of a bucket."""
    return _scan(files, dates, spec, options).select(columns).collect()


def count_by_date(
    files: BucketFiles, dates: Collection[date], spec: TableSpec, options: StorageOptions
) -> dict[date, int]:
    """How many rows of some dates are in the files of a bucket; no row is kept in memory."""
    counted = _scan(files, dates, spec, options).group_by("event_date").len()
    return dict(counted.collect(engine="streaming").iter_rows())


def _scan(
    files: BucketFiles, dates: Collection[date], spec: TableSpec, options: StorageOptions
) -> pl.LazyFrame:
    """The rows of some dates, by whatever writer the files are."""
    rows = scan_files(
        files.paths,
        options,
        schema=polars_schema_of(spec),
        cast_options=_ANY_WRITER,
        missing_columns="insert",
        extra_columns="ignore",
    )
    return rows.filter(pl.col("event_date").is_in(list(dates)))
