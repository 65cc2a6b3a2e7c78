"""Bytes at places of files, plain or gzip: where a table has noted them."""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Iterator
from typing import Any

from churn_spark.lakehouse.byte_ranges import is_compressed
from churn_spark.lakehouse.native_sources import open_source


def read_places(path: str, places: Iterable[tuple[int, int]]) -> Iterator[bytes]:
    """What is at each place of a file; less than its length, or nothing, where the file ends.

    Args:
        path: of the file, as listed.
        places: offset, of a gzip file in what it unpacks to, and length; the offsets rising.

    Raises:
        OSError: if the file is gone, may not be read, or is damaged before the place.
    """
    with open_source(path) as source:
        if not is_compressed(path):
            yield from (source.read_at(length, offset) for offset, length in places)
            return
        with gzip.open(source) as unpacked:
            yield from _read_rising(unpacked, places)


def _read_rising(source: Any, places: Iterable[tuple[int, int]]) -> Iterator[bytes]:
    for offset, length in places:
        try:
            source.seek(offset)
            yield source.read(length)
        except EOFError as error:
            raise OSError(str(error)) from error
