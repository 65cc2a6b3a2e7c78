"""Parts of files -> data files of the bronze tables, written by whoever runs this.

A Spark task calls it where its part of the work lies, the driver itself where the work is small;
what comes back is small: what a commit needs to know of the files, and the account.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

import polars as pl
from deltalake.transaction import AddAction

from churn_spark.config import IngestConfig
from churn_spark.contracts.tables import EVENTS, QUARANTINE, TableSpec
from churn_spark.errors import DamagedFileError
from churn_spark.events.block import read_block
from churn_spark.events.foreign.csv_rows import CsvRows
from churn_spark.events.foreign.kinds import kind_of
from churn_spark.events.foreign.pieces import read_csv_rows, read_objects, without_first_line
from churn_spark.events.user_ids import AS_THEY_ARE, UserIds
from churn_spark.lakehouse.byte_ranges import (
    BYTE_ORDER_MARK,
    ByteRange,
    Piece,
    read_gzip,
    read_plain,
)
from churn_spark.lakehouse.data_files import write_data_files
from churn_spark.lakehouse.native_sources import open_source
from churn_spark.lakehouse.parquet_files import StorageOptions

PART_BYTES: Final = 48 << 20
"""Of JSON, parsed at once: .6 s of work, half a GiB of memory."""
_MAX_ROWS: Final = 1_200_000
"""Kept before they are written: 300 MiB."""

Note = Callable[[int, int], None]
"""Told of progress: bytes and lines that were read."""


@dataclass(frozen=True)
class LoadTask:
    """What all parts of a batch have in common.

    Attributes:
        config: what counts as an event.
        n_buckets: of the events.
        batch: number of the batch.
        today: date of the ingest, UTC.
        tables: path of a table in the lakehouse -> where it is.
        options: of their storage.
        users: under which ids they are kept, and who is left out.
    """

    config: IngestConfig
    n_buckets: int
    batch: int
    today: date
    tables: Mapping[str, str]
    options: StorageOptions
    users: UserIds = AS_THEY_ARE


@dataclass(frozen=True)
class Loaded:
    """What became of some parts.

    Attributes:
        files: path of a table in the lakehouse -> files that a commit is to add.
        lines: what became of the lines -> how many.
        broken: file -> why it can't be read to its end.
        unread: file -> why it, or a part of it, can't be read at all.
    """

    files: Mapping[str, Sequence[AddAction]] = field(default_factory=dict)
    lines: Mapping[str, int] = field(default_factory=dict)
    broken: Mapping[str, str] = field(default_factory=dict)
    unread: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def sum_of(cls, many: Iterable[Loaded]) -> Loaded:
        """All of them together."""
        files: dict[str, list[AddAction]] = {}
        lines: Counter[str] = Counter()
        broken: dict[str, str] = {}
        unread: dict[str, str] = {}
        for one in many:
            for table, added in one.files.items():
                files.setdefault(table, []).extend(added)
            lines.update(one.lines)
            broken.update(one.broken)
            unread.update(one.unread)
        return cls(files, dict(lines), broken, unread)


def load_parts(parts: Iterable[ByteRange], task: LoadTask, note: Note) -> Loaded:
    """Read parts of files and write what they hold, a file a bucket, in the parts' order.

    Args:
        parts: each is read once.
        task: what they have in common.
        note: called for each piece that was read.
    """
    rows = _Rows(task)
    lines: Counter[str] = Counter()
    broken: dict[str, str] = {}
    unread: dict[str, str] = {}
    for part in parts:
        told = 0
        try:
            for piece, n_bytes, cells in _read(part, task.config):
                block = read_block(
                    piece.data,
                    task.config,
                    task.n_buckets,
                    piece.n_cut,
                    piece.offset,
                    task.users,
                    cells,
                )
                rows.add(EVENTS, block.events, part.path)
                rejected = block.rejected.with_columns(rejected_date=pl.lit(task.today))
                rows.add(QUARANTINE, rejected, part.path)
                lines.update(block.counts)
                note(n_bytes - told, block.counts["read"])
                told = n_bytes
        except DamagedFileError as error:
            broken[part.path] = str(error)
        except (FileNotFoundError, PermissionError) as error:
            unread[part.path] = str(error)
        note(part.length - told, 0)
    return Loaded(rows.written(), dict(lines), broken, unread)


def _read(part: ByteRange, config: IngestConfig) -> Iterator[tuple[Piece, int, CsvRows | None]]:
    """The pieces of a part, each with how many of its bytes are read by then, and their cells."""
    longest, mapping = config.max_line_bytes + 1, config.mapping
    kind = kind_of(part.path, mapping)
    with open_source(part.path) as source:
        if mapping and kind in ("array", "parquet"):
            for piece in read_objects(source, part.path, mapping):
                yield piece, min(source.tell(), part.length), None
            return
        cells = read_csv_rows(source, part.path, mapping) if mapping and kind == "csv" else None
        for piece in _read_lines(source, part, longest):
            n_bytes = source.tell() if part.is_compressed else part.length
            is_begin = piece.offset <= len(BYTE_ORDER_MARK)
            if cells and mapping and not mapping.csv_files.columns and is_begin:
                yield without_first_line(piece), n_bytes, cells
            else:
                yield piece, n_bytes, cells


def _read_lines(source: Any, part: ByteRange, longest: int) -> Iterator[Piece]:
    if part.is_compressed:
        return read_gzip(source, PART_BYTES, longest)
    return read_plain(source, part, longest)


class _Rows:
    """Rows on their way into files: kept until they are many."""

    def __init__(self, task: LoadTask) -> None:
        self._task = task
        self._frames: dict[str, list[pl.DataFrame]] = {EVENTS.path: [], QUARANTINE.path: []}
        self._files: dict[str, list[AddAction]] = {EVENTS.path: [], QUARANTINE.path: []}

    def add(self, spec: TableSpec, rows: pl.DataFrame, source_file: str) -> None:
        """Take rows of a file."""
        delivered = rows.with_columns(
            source_file=pl.lit(source_file), ingest_batch=pl.lit(self._task.batch, pl.Int64())
        )
        frames = self._frames[spec.path]
        frames.append(delivered)
        if sum(frame.height for frame in frames) >= _MAX_ROWS:
            self._write(spec)

    def written(self) -> Mapping[str, Sequence[AddAction]]:
        """Write what is left; path of a table -> its files."""
        for spec in (EVENTS, QUARANTINE):
            self._write(spec)
        return self._files

    def _write(self, spec: TableSpec) -> None:
        frames, self._frames[spec.path] = self._frames[spec.path], []
        if frames:
            rows = pl.concat(frames).select(spec.column_names)
            self._files[spec.path] += write_data_files(
                rows, spec, self._task.tables[spec.path], self._task.options
            )
