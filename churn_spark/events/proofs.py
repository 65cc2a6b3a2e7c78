"""A look into input files before they are read: what proves later that they have only grown."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, Final

import xxhash

from churn_spark.config import IngestConfig
from churn_spark.events.foreign.kinds import is_read_whole, kind_of
from churn_spark.events.line import parse_line, read_line
from churn_spark.events.readings import FileNote
from churn_spark.lakehouse.byte_ranges import BYTE_ORDER_MARK
from churn_spark.lakehouse.native_sources import is_reachable, open_source

_PLACES: Final = 16
_PLACE_BYTES: Final = 64 << 10
_THREADS: Final = 16


def prove(path: str, size: int) -> str | None:
    """Hash of the first bytes of a file; none where Python doesn't reach it.

    Args:
        path: of the file, as listed.
        size: number of the bytes. Of more than a megabyte sixteen places are looked at, both ends
            among them.

    Raises:
        FileNotFoundError: if it is gone.
        PermissionError: if it may not be read.
    """
    if not is_reachable(path):
        return None
    with open_source(path) as source:
        return _hash(source, size)


def look_at_files(notes: Iterable[FileNote], config: IngestConfig) -> list[FileNote]:
    """The notes with what a later run has to know of those that are to be read.

    Made before they are read: what is exchanged meanwhile is then found to be changed.
    """
    with ThreadPoolExecutor(_THREADS) as pool:
        return list(pool.map(lambda note: _look_at(note, config), notes))


def _look_at(note: FileNote, config: IngestConfig) -> FileNote:
    if not note.is_read:
        return note
    try:
        with open_source(note.path) as source:
            proof = _hash(source, note.size_bytes)
            if is_read_whole(note.path, config.mapping):
                return replace(note, proof=proof)
            return replace(note, proof=proof, go_on_at=_next_line(source, note, config))
    except (FileNotFoundError, PermissionError) as error:
        return note.unread(str(error))


def _hash(source: Any, size: int) -> str:
    if size <= _PLACES * _PLACE_BYTES:
        return xxhash.xxh3_128_hexdigest(source.read_at(size, 0))
    found = xxhash.xxh3_128()
    for number in range(_PLACES):
        found.update(source.read_at(_PLACE_BYTES, number * (size - _PLACE_BYTES) // (_PLACES - 1)))
    return str(found.hexdigest())


def _next_line(source: Any, note: FileNote, config: IngestConfig) -> int:
    """Where to go on: at the start of a last line that isn't whole yet, else at the end."""
    end, longest = note.size_bytes, config.max_line_bytes
    start = max(note.begin, end - longest - 1)
    tail = source.read_at(end - start, start)
    cut = max(tail.rfind(b"\n"), tail.rfind(b"\r")) + 1
    line = tail[cut:]
    if start + cut == 0:
        line = line.removeprefix(BYTE_ORDER_MARK)
        if not line:
            # Read on from behind a mark, the first line would be taken for the rest of another.
            return 0
    if len(line) > longest:
        # Nobody will parse it: what comes behind is skipped up to the line's end.
        return end
    return end if not line or _is_whole(line, note.path, config) else start + cut


def _is_whole(line: bytes, path: str, config: IngestConfig) -> bool:
    """Whether what may be written on already is a record."""
    if config.mapping is None:
        return not isinstance(read_line(line, config.max_line_bytes), str)
    if kind_of(path, config.mapping) == "csv":
        # Nobody can tell: a cell may go on.
        return False
    try:
        return isinstance(parse_line(line), dict)
    except ValueError:
        return False
