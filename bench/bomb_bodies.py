"""Small requests that want to become large, for each format and each part of it that repeats."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from churn_spark.contracts.features.spec import FEATURES
from churn_spark.serving.batches import ARROW, PARQUET

ROWS: Final = 10_000
LARGEST: Final = 16 * 2**20 - 1000
_JSON: Final = "application/json"
_BATCH: Final = "/predict/batch"
_HUGE: Final = 300_000_000
_INFER, _INVOKE = "/v2/models/churn/infer", "/invocations"
# As many values as are read at most, about.
_MOST: Final = 900_000


@dataclass(frozen=True)
class Bomb:
    """One request.

    Attributes:
        name: what is large in it.
        path: where it is sent.
        kind: its content type.
        body: makes it.
    """

    name: str
    path: str
    kind: str
    body: Callable[[], bytes]


def parquet(table: pa.Table, **how: Any) -> bytes:
    """A table as Parquet."""
    sink = io.BytesIO()
    pq.write_table(table, sink, **how)
    return sink.getvalue()


def arrow(*tables: pa.Table, compression: str | None = None) -> bytes:
    """Tables of one schema as an Arrow stream, a message each."""
    sink = io.BytesIO()
    options = pa.ipc.IpcWriteOptions(compression=compression)
    with pa.ipc.new_stream(sink, tables[0].schema, options=options) as writer:
        for table in tables:
            writer.write_table(table)
    return sink.getvalue()


def one_text(size: int, n_rows: int) -> pa.Table:
    """Rows with the same long text."""
    return pa.table({"os": pa.array(["x" * size] * n_rows), "num_sessions": [1.0] * n_rows})


def coded_text(size: int, n_rows: int) -> pa.Table:
    """The same, its text once and a code for each row."""
    codes = pa.array(np.zeros(n_rows, dtype=np.int32))
    return pa.table({"user_id": pa.DictionaryArray.from_arrays(codes, ["x" * size])}).append_column(
        "num_sessions", pa.array(np.ones(n_rows))
    )


def wild_text() -> bytes:
    """An Arrow stream with a text that ends far beyond the message."""
    end, beyond = (np.array([0, at], dtype=np.int32).tobytes() for at in (77, 100_000_000))
    return arrow(pa.table({"user_id": ["x" * 77], "num_sessions": [1.0]})).replace(end, beyond)


def nested(depth: int) -> pa.Table:
    """A column in a column in a column."""
    kind: pa.DataType = pa.float64()
    for _ in range(depth):
        kind = pa.struct([("a", kind)])
    return pa.table({"num_sessions": pa.nulls(1, kind)})


def many_names(n: int) -> dict[str, float]:
    """A row of unknown names."""
    return {f"n{number}": 1.0 for number in range(n)}


def rows_of(row: bytes, n: int, name: str = "rows") -> bytes:
    """The same row so often."""
    date = b'"as_of": "2018-11-30", ' if name == "events" else b""
    start = b"{" + date + json.dumps(name).encode() + b": ["
    return start + b",".join([row] * n) + b"]}"


def largest_json() -> bytes:
    """As many rows with every feature as fit: no bomb, and the largest that must be answered."""
    row = {f.name: 1.0 if f.is_numeric else "never seen" for f in FEATURES}
    row["user_id"] = "1" * 200
    text = json.dumps(row).encode()
    return rows_of(text, min(ROWS, LARGEST // (len(text) + 1)))


def _columns(n: int) -> pa.Table:
    return pa.table({f"column {number}": [1.0] for number in range(n)})


def _repeated(text: bytes, n_bytes: int = LARGEST) -> bytes:
    return b'{"rows": [' + text * (n_bytes // len(text)) + b"0]}"


def _tensor(value: bytes, n_values: int) -> bytes:
    """An input of so many times a value."""
    head = f'{{"inputs": [{{"name": "num_sessions", "shape": [{n_values}], "datatype": "FP64", '
    return head.encode() + b'"data": [' + b",".join([value] * n_values) + b"]}]}"


_BODIES: Final[Mapping[tuple[str, str, str], Callable[[], bytes]]] = {
    ("Parquet, a text in a dictionary", _BATCH, PARQUET): lambda: parquet(one_text(50_000, ROWS)),
    ("Parquet, a longer one", _BATCH, PARQUET): lambda: parquet(one_text(200_000, 5000)),
    ("Parquet, a page of 300 MB", _BATCH, PARQUET): lambda: parquet(
        one_text(_HUGE, 1), compression="zstd", use_dictionary=False
    ),
    ("Parquet, texts told by those before", _BATCH, PARQUET): lambda: parquet(
        one_text(100_000, 3000),
        use_dictionary=False,
        compression="zstd",
        column_encoding={"os": "DELTA_BYTE_ARRAY", "num_sessions": "PLAIN"},
    ),
    ("Parquet, 5,000 columns", _BATCH, PARQUET): lambda: parquet(_columns(5000)),
    ("Parquet, 10,000 row groups", _BATCH, PARQUET): lambda: parquet(
        one_text(1, ROWS), row_group_size=1
    ),
    ("Parquet, columns within columns", _BATCH, PARQUET): lambda: parquet(nested(50)),
    ("Parquet, a million rows", _BATCH, PARQUET): lambda: parquet(one_text(1, 1_000_000)),
    ("Arrow, a text of 300 MB", _BATCH, ARROW): lambda: arrow(
        one_text(_HUGE, 1), compression="zstd"
    ),
    ("Arrow, a text in a dictionary", _BATCH, ARROW): lambda: arrow(coded_text(10**7, ROWS)),
    ("Arrow, the same compressed", _BATCH, ARROW): lambda: arrow(
        coded_text(10**8, ROWS), compression="zstd"
    ),
    ("Arrow, 5,000 columns", _BATCH, ARROW): lambda: arrow(_columns(5000)),
    ("Arrow, columns within columns", _BATCH, ARROW): lambda: arrow(nested(50)),
    ("Arrow, 20,000 messages", _BATCH, ARROW): lambda: arrow(*[one_text(1, 1)] * 20_000),
    ("Arrow, a billion nulls", _BATCH, ARROW): lambda: arrow(
        pa.table({"num_sessions": pa.nulls(10**9)})
    ),
    ("Arrow, a text beyond its message", _BATCH, ARROW): wild_text,
    ("JSON, 100,000 names in a row", _BATCH, _JSON): lambda: json.dumps(
        [many_names(100_000)]
    ).encode(),
    ("JSON, unknown names in each row", _BATCH, _JSON): lambda: rows_of(
        json.dumps(many_names(85)).encode(), ROWS
    ),
    ("JSON, rows of 60,000 bytes", _BATCH, _JSON): lambda: rows_of(
        json.dumps({"os": [[]] * 14_000}).encode(), 250
    ),
    ("JSON, millions of arrays", _BATCH, _JSON): lambda: _repeated(b"[],"),
    ("JSON, millions of objects", _BATCH, _JSON): lambda: _repeated(b"{},"),
    ("JSON, levels without end", _BATCH, _JSON): lambda: b"[" * LARGEST,
    ("JSON, a text without end", _BATCH, _JSON): lambda: b'{"rows": ["' + b"\\" * LARGEST,
    ("JSON, a number without end", _BATCH, _JSON): lambda: rows_of(
        b'{"num_sessions": ' + b"9" * 60_000 + b"}", 250
    ),
    ("one row, 100,000 names", "/predict", _JSON): lambda: json.dumps(many_names(100_000)).encode(),
    ("one row, 9,000 names", "/predict", _JSON): lambda: json.dumps(many_names(4500)).encode(),
    ("one row, levels without end", "/predict", _JSON): lambda: b'{"os": ' + b"[" * 60_000,
    ("events, millions of them", "/predict/events", _JSON): lambda: rows_of(
        b"{}", LARGEST // 3, "events"
    ),
    ("events of 60,000 bytes", "/predict/events", _JSON): lambda: rows_of(
        json.dumps({"ts": 1, "x": [[]] * 14_000}).encode(), 250, "events"
    ),
    ("inference, millions of values", _INFER, _JSON): lambda: _tensor(b"0", LARGEST // 3),
    ("inference, as many as are read", _INFER, _JSON): lambda: _tensor(b"1.25", _MOST),
    ("inference, empty lists", _INFER, _JSON): lambda: _tensor(b"[]", _MOST // 2),
    ("inference, levels without end", _INFER, _JSON): lambda: b"[" * 900_000,
    ("inference, long numbers", _INFER, _JSON): lambda: _tensor(b"9" * 1600, ROWS),
    ("invocation, empty records", _INVOKE, _JSON): lambda: rows_of(b"{}", _MOST // 2, "instances"),
    ("invocation, other names in each", _INVOKE, _JSON): lambda: rows_of(
        json.dumps(many_names(85)).encode(), ROWS, "instances"
    ),
    ("invocation, a name in each", _INVOKE, _JSON): lambda: json.dumps(
        {"instances": [{f"n{row}": 1} for row in range(ROWS)]}
    ).encode(),
    ("invocation, a table of commas", _INVOKE, "text/csv"): lambda: b"," * LARGEST,
    ("invocation, a table of one text", _INVOKE, "text/csv"): lambda: b'"' + b"x" * LARGEST,
    ("a form of 16 MB", "/sign-in", "application/x-www-form-urlencoded"): lambda: b"k=" * 8_000_000,
}
BOMBS: Final = tuple(Bomb(*about, body) for about, body in _BODIES.items())
