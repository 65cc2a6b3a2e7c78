"""An Arrow stream -> a table, after its messages have said how much they unfold into.

The format: https://arrow.apache.org/docs/format/Columnar.html#ipc-streaming-format; the numbers
of the slots are those of its `Message.fbs` and `Schema.fbs`.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

import pyarrow as pa

from churn_spark.errors import RequestError
from churn_spark.serving import contract
from churn_spark.serving.batches.batch import BatchLimits
from churn_spark.serving.batches.flatbuffer import Table
from churn_spark.serving.batches.from_columns import check_names

_MAX_MESSAGES: Final = 1000
# The schema of all features has 10 kB, and as much again of what pandas adds.
_MAX_MESSAGE_BYTES: Final = 2**18
_CONTINUES: Final = -1
_SCHEMA, _DICTIONARY, _ROWS = 1, 2, 3
_NOTES: Final = 4
"""The slot of a message for what its sender notes beside it."""


def read_arrow(body: bytes, limits: BatchLimits) -> pa.Table:
    """The rows of a stream.

    Raises:
        RequestError: if it has too many rows, unfolds into too much, or its columns don't fit.
    """
    try:
        _look_through(memoryview(body), limits)
    except (struct.error, IndexError, OverflowError) as error:
        raise RequestError(f"the body can't be read as an Arrow stream: {error}") from None
    with pa.ipc.open_stream(body) as reader:
        names = check_names(reader.schema)
        batches = list(reader)
        for batch in batches:
            # Where a text begins and ends is the sender's word: unchecked it could be anywhere in
            # this process, and a user_id is sent back.
            batch.validate(full=True)
        return pa.Table.from_batches(batches, reader.schema).select(names)


def _look_through(body: memoryview, limits: BatchLimits) -> None:
    n_rows = n_bytes = 0
    for n_messages, (message, content) in enumerate(_messages(body)):
        if n_messages == _MAX_MESSAGES:
            raise RequestError(f"found more than {_MAX_MESSAGES:,} messages: send larger ones", 413)
        kind, header = message.number(1, "B"), message.table(2)
        if header is None or kind not in (_SCHEMA, _DICTIONARY, _ROWS):
            raise RequestError("found a message that is neither schema, dictionary nor rows")
        if kind == _SCHEMA:
            _check_schema(header, limits)
            continue
        if message.count(_NOTES):
            # There a message of an old version may say that it is compressed.
            raise RequestError("found notes beside rows, expected none")
        rows = header.table(1) if kind == _DICTIONARY else header
        if rows is None:
            continue
        n_rows += rows.number(0, "q") if kind == _ROWS else 0
        limits.check_rows(n_rows)
        n_bytes += sum(_unfolded(rows, content))
        limits.check_bytes(n_bytes)


def _messages(body: memoryview) -> Iterator[tuple[Table, memoryview]]:
    """Each message, and the values that belong to it."""
    at = 0
    while at + 4 <= len(body):
        (size,) = struct.unpack_from("<i", body, at)
        at += 4
        if size == _CONTINUES:
            (size,) = struct.unpack_from("<i", body, at)
            at += 4
        if size == 0:
            return
        if not 0 < size <= _MAX_MESSAGE_BYTES:
            raise RequestError(
                f"found a head of {size:,} bytes, expected at most {_MAX_MESSAGE_BYTES:,}"
            )
        message = Table.root(body[at : at + size])
        at += size
        n_content = message.number(3, "q")
        if n_content < 0:
            raise RequestError("found a message of less than no bytes")
        yield message, body[at : at + n_content]
        at += n_content


def _check_schema(schema: Table, limits: BatchLimits) -> None:
    """Refuse columns without number, columns in columns, and words without end.

    In a FlatBuffer many can point to one, so a few bytes may be any number of columns.
    """
    n_columns, n_bytes = schema.count(1), _words(schema, 2, limits)
    contract.check_names(n_columns)
    for column in schema.tables(1):
        if column.count(5):
            raise RequestError("found columns within columns, expected numbers and texts alone")
        n_bytes += column.text_bytes(0) + _words(column, 6, limits)
        limits.check_bytes(n_bytes)


def _words(table: Table, slot: int, limits: BatchLimits) -> int:
    """The bytes of what is noted beside a schema or a column."""
    n_bytes = 0
    for note in table.tables(slot):
        n_bytes += note.text_bytes(0) + note.text_bytes(1) + 64
        limits.check_bytes(n_bytes)
    return n_bytes


def _unfolded(rows: Table, content: memoryview) -> Iterator[int]:
    """The bytes that each compressed part says to unfold into; what isn't compressed is as sent."""
    if rows.table(3) is None:
        return
    for offset, length in rows.structs(2, "qq", 16):
        if length:
            (n_bytes,) = struct.unpack_from("<q", content, offset)
            yield n_bytes if n_bytes >= 0 else 0
