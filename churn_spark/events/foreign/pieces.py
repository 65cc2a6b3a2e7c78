"""Files of a foreign log -> pieces of lines, whatever kind of file it is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from churn_spark.config.mapping import LogMapping
from churn_spark.events.foreign.array_lines import lines_of_arrays
from churn_spark.events.foreign.csv_rows import CsvRows
from churn_spark.events.foreign.kinds import kind_of
from churn_spark.events.foreign.parquet_rows import lines_of_rows
from churn_spark.lakehouse.byte_ranges import (
    BYTE_ORDER_MARK,
    Piece,
    is_compressed,
    read_chunks,
    read_gzip,
)

_FIRST_LINE: Final = 1 << 20
"""Bytes in which the first line of a file of cells ends."""


def read_objects(source: Any, path: str, mapping: LogMapping) -> Iterator[Piece]:
    """The objects of a file that is read whole, as lines; places are in what they unpack to.

    Raises:
        DamagedFileError: where it is damaged; what comes before that was given.
    """
    if kind_of(path, mapping) == "parquet":
        yield from _placed(lines_of_rows(source, mapping))
    else:
        yield from _placed(lines_of_arrays(read_chunks(source, path)))


def read_csv_rows(source: Any, path: str, mapping: LogMapping) -> CsvRows:
    """How the rows of a file of cells are read; the file is where it was afterwards.

    Raises:
        DamagedFileError: if it is damaged before its first line ends.
    """
    if mapping.csv_files.columns:
        return CsvRows.of(mapping.csv_files, b"")
    if is_compressed(path):
        begin = next(read_gzip(source, _FIRST_LINE, _FIRST_LINE), Piece(b"")).data
        source.seek(0)
    else:
        begin = source.read_at(_FIRST_LINE, 0).removeprefix(BYTE_ORDER_MARK)
    return CsvRows.of(mapping.csv_files, first_line(begin))


def without_first_line(piece: Piece) -> Piece:
    """The piece at the start of a file without the line that names its columns."""
    n_bytes = len(first_line(piece.data))
    n_bytes += len(b"\r\n") if piece.data[n_bytes : n_bytes + 2] == b"\r\n" else 1
    return Piece(piece.data[n_bytes:], piece.n_cut, piece.offset + n_bytes)


def first_line(data: bytes) -> bytes:
    """Without its end."""
    return data.replace(b"\r", b"\n").partition(b"\n")[0]


def _placed(blocks: Iterable[bytes]) -> Iterator[Piece]:
    offset = 0
    for number, data in enumerate(blocks):
        start = len(BYTE_ORDER_MARK) * (not number and data.startswith(BYTE_ORDER_MARK))
        yield Piece(data[start:], 0, offset + start)
        offset += len(data)
