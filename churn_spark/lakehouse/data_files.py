"""Rows as Parquet files of a Delta table, written where the table is, not yet part of it."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from typing import Any, Final
from urllib.parse import quote, unquote

import polars as pl
from deltalake.fs import DeltaStorageHandler
from deltalake.transaction import AddAction
from pyarrow.fs import FileType

from churn_spark.contracts.tables import TableSpec
from churn_spark.lakehouse.parquet_files import StorageOptions, write_file
from churn_spark.lakehouse.polars_schema import conform_polars
from churn_spark.lakehouse.room import require_room

_MILLISECOND: Final = timedelta(milliseconds=1)


def write_data_files(
    frame: pl.DataFrame, spec: TableSpec, table: str, options: StorageOptions
) -> list[AddAction]:
    """Write rows as one Parquet file a partition; returns what a commit adds to the table.

    The names are new ones, so a task that is tried again leaves files that no commit names:
    VACUUM removes them.

    Args:
        frame: exactly the columns of the table.
        spec: of the table.
        table: where it is; the folder exists.
        options: of its storage.

    Raises:
        SchemaError: if the rows don't fit the table.
        OSError: if the disk has no room for them.
    """
    rows = conform_polars(frame, spec)
    if not spec.partition_by:
        return [_write(rows, spec, {}, table, dict(options))] if rows.height else []
    parts = rows.partition_by(spec.partition_by, maintain_order=True, as_dict=True)
    return [
        _write(
            part.drop(spec.partition_by),
            spec,
            dict(zip(spec.partition_by, map(_partition_value, values), strict=True)),
            table,
            dict(options),
        )
        for values, part in parts.items()
    ]


def are_there(files: Iterable[AddAction], table: str, options: StorageOptions) -> bool:
    """Whether files that were written for a table, and wait for their commit, are still there."""
    names = [unquote(file.path) for file in files]
    found = DeltaStorageHandler(table, dict(options)).get_file_info(names)
    return all(one.type == FileType.File for one in found)


def _write(
    rows: pl.DataFrame,
    spec: TableSpec,
    partition: Mapping[str, str | None],
    table: str,
    options: dict[str, str],
) -> AddAction:
    folders = [f"{name}={_folder_value(value)}/" for name, value in partition.items()]
    path = f"{''.join(folders)}part-{uuid.uuid4()}.snappy.parquet"
    place = f"{table.rstrip('/')}/{path}"
    # What the disk answers Polars keeps to itself.
    require_room(table, int(rows.estimated_size()))
    write_file(rows, place, options)
    (written,) = DeltaStorageHandler(table, options).get_file_info([path])
    return AddAction(
        path=quote(path, safe="/=-._"),
        size=written.size,
        partition_values=dict(partition),
        modification_time=int(time.time() * 1000),
        data_change=True,
        stats=_statistics(rows, spec),
    )


def _statistics(rows: pl.DataFrame, spec: TableSpec) -> str:
    """What Delta keeps of a file: number of rows, nulls, and ranges of whole numbers and times."""
    kept = [name for name in spec.skipping_columns or rows.columns if name in rows.columns]
    ranged = [name for name in kept if rows.schema[name].is_integer() or _is_time(rows, name)]
    nulls = rows.select(pl.col(kept).null_count()).row(0, named=True)
    lowest = rows.select(pl.col(ranged).min()).row(0, named=True)
    highest = rows.select(pl.col(ranged).max()).row(0, named=True)
    return json.dumps(
        {
            "numRecords": rows.height,
            "minValues": {k: _text_of(v) for k, v in lowest.items() if v is not None},
            "maxValues": {
                k: _text_of(v, upwards=True) for k, v in highest.items() if v is not None
            },
            "nullCount": nulls,
        }
    )


def _is_time(rows: pl.DataFrame, name: str) -> bool:
    return rows.schema[name].is_temporal()


def _text_of(value: Any, *, upwards: bool = False) -> Any:
    """A bound as Delta writes it; instants are kept to the millisecond, so they are widened."""
    if isinstance(value, datetime):
        if upwards and value.microsecond % 1000:
            value += _MILLISECOND
        return value.strftime("%Y-%m-%dT%H:%M:%S.") + f"{value.microsecond // 1000:03d}Z"
    return value.isoformat() if isinstance(value, date) else value


def _partition_value(value: object) -> str | None:
    return None if value is None else str(value)


def _folder_value(value: str | None) -> str:
    return "__HIVE_DEFAULT_PARTITION__" if value is None else value
