"""Personal data with marks in it, and a search for these marks in every byte of a folder."""

from __future__ import annotations

import gzip
import re
import sqlite3
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

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


def find_marks(folder: Path) -> dict[str, set[str]]:
    """Mark -> files that hold it, by their path in the folder; unpacked where they are packed."""
    found: dict[str, set[str]] = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            for content in _contents(path):
                for one in set(_MARK.findall(content)):
                    found.setdefault(one.decode(), set()).add(str(path.relative_to(folder)))
    return found


def _contents(path: Path) -> Iterator[bytes]:
    """The bytes of a file as they are, and what they stand for."""
    raw = path.read_bytes()
    yield raw
    if raw.startswith(b"PAR1"):
        for column in pq.read_table(pa.BufferReader(raw)).columns:
            yield "\n".join(map(str, _texts(column.combine_chunks()))).encode()
    elif raw.startswith(b"\x1f\x8b"):
        yield gzip.decompress(raw)
    elif raw.startswith(b"PK"):
        with zipfile.ZipFile(path) as packed:
            yield from map(packed.read, packed.namelist())
    elif raw.startswith(b"SQLite"):
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as store:
            yield "\n".join(store.iterdump()).encode()


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
