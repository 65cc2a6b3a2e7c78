"""Personal data with marks in it, and a search for these marks in every byte of a folder."""

from __future__ import annotations

import gzip
import hashlib
import re
import sqlite3
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

_MARKS: Mapping[str, str] = {
    "userId": "zqid",
    "firstName": "zqfirst",
    "lastName": "zqlast",
    "location": "zqplace",
    "userAgent": "zqagent",
}
_MARK = re.compile("|".join(_MARKS.values()).encode())
NAMES = frozenset(_MARKS.values()) - {"zqid"}
"""Marks of what no file of a lakehouse may hold; of ids tables may."""


def mark(record: Mapping[str, Any]) -> dict[str, Any]:
    """The record with a mark in front of all that says who somebody is.

    States and families of agents stay what they are; nobody stays nobody.
    """
    return {
        name: f"{_MARKS[name]}{value}" if name in _MARKS and value not in (None, "") else value
        for name, value in record.items()
    }


def mark_log(log: Path, folder: Path) -> Path:
    """A copy of a log, a file or a folder of them, with marks and some lines that are no events."""
    files = sorted(log.rglob("*.json*")) if log.is_dir() else [log]
    folder.mkdir(parents=True, exist_ok=True)
    for file in files:
        is_packed = file.suffix == ".gz"
        raw = gzip.decompress(file.read_bytes()) if is_packed else file.read_bytes()
        records = [mark(orjson.loads(line)) for line in raw.splitlines()]
        lines = [orjson.dumps(one) for one in records]
        if file is files[0]:
            known = next(one for one in records if one["userId"])
            in_seconds = orjson.dumps(known | {"ts": known["ts"] // 1000})
            lines += [in_seconds, lines[0][:-1], lines[0] * 2, orjson.dumps([known])]
        marked = folder / file.relative_to(log if log.is_dir() else log.parent)
        marked.parent.mkdir(parents=True, exist_ok=True)
        text = b"\n".join(lines)
        marked.write_bytes(gzip.compress(text, 1) if is_packed else text)
    return folder if log.is_dir() else folder / log.name


def find_marks(folder: Path) -> dict[str, set[str]]:
    """Mark -> files that hold it, by their path in the folder; unpacked where they are packed."""
    return find_bytes(folder, _MARK)


def find_bytes(
    folder: Path, pattern: re.Pattern[bytes], searched: set[bytes] | None = None
) -> dict[str, set[str]]:
    """What a pattern finds -> files that hold it, the same way.

    Args:
        folder: with all files below it.
        pattern: to look for.
        searched: digests of contents in which it was looked for in vain; they are not unpacked
            once more, and those of this search are added.
    """
    found: dict[str, set[str]] = {}
    for path in sorted(folder.rglob("*")):
        if not path.is_file():
            continue
        raw = path.read_bytes()
        digest = hashlib.blake2b(raw).digest()
        if searched is not None and digest in searched:
            continue
        here = {one for content in _contents(path, raw) for one in pattern.findall(content)}
        for one in here:
            found.setdefault(one.decode(), set()).add(str(path.relative_to(folder)))
        if searched is not None and not here:
            searched.add(digest)
    return found


def _contents(path: Path, raw: bytes) -> Iterator[bytes]:
    """The bytes of a file as they are, and what they stand for."""
    yield raw
    if raw.startswith(b"PAR1"):
        yield from map(_as_bytes, pq.read_table(pa.BufferReader(raw)).columns)
        # Dictionaries as they are written: they may have values that no row has.
        names = pq.read_schema(pa.BufferReader(raw)).names
        coded = pq.read_table(pa.BufferReader(raw), read_dictionary=names)
        yield from map(_as_bytes, coded.columns)
    elif raw.startswith(b"\x1f\x8b"):
        yield gzip.decompress(raw)
    elif raw.startswith(b"PK"):
        with zipfile.ZipFile(path) as packed:
            yield from map(packed.read, packed.namelist())
    elif raw.startswith(b"SQLite"):
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as store:
            yield "\n".join(store.iterdump()).encode()


def _as_bytes(column: pa.ChunkedArray) -> bytes:
    return b"\n".join(str(text).encode() for chunk in column.chunks for text in _texts(chunk))


def _texts(array: Any) -> Iterable[Any]:
    """Every text in an array of any type, each once."""
    if pa.types.is_dictionary(array.type):
        return _texts(array.dictionary)
    if pa.types.is_list(array.type) or pa.types.is_map(array.type):
        return _texts(array.flatten() if pa.types.is_list(array.type) else array.items)
    if pa.types.is_struct(array.type):
        return [text for part in array.flatten() for text in _texts(part)]
    is_text = pa.types.is_string(array.type) or pa.types.is_large_string(array.type)
    return array.unique().to_pylist() if is_text or pa.types.is_binary(array.type) else []
