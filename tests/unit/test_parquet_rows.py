"""Rows of Parquet as lines: columns of types that JSON has no form for."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import orjson
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from foreign_logs import ingest_by
from hypothesis import given
from hypothesis import strategies as st

from churn_spark.errors import DamagedFileError
from churn_spark.events.block import read_block
from churn_spark.events.foreign.parquet_rows import lines_of_rows

pytestmark = pytest.mark.unit
WHOLE = pa.decimal128(38, 0)
NESTED = pa.struct([("id", pa.binary()), ("n", WHOLE)])


def _values(column: pa.Array, **how: Any) -> list[Any]:
    """What the lines say of a column."""
    written = io.BytesIO()
    pq.write_table(pa.table({"x": column}), written, **how)
    return [orjson.loads(line)["x"] for line in b"".join(lines_of_rows(written)).splitlines()]


@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary(), pa.binary(2)])
def test_bytes_are_texts_or_hexadecimal_digits(kind: pa.DataType) -> None:
    assert _values(pa.array([b"u1", None, b"\xff\x07"], kind)) == ["u1", None, "ff07"]
    assert _values(pa.array([b"u1", b"u2"], kind).dictionary_encode()) == ["u1", "u2"]


@pytest.mark.parametrize(
    ("column", "told"),
    [
        (pa.array([{"id": b"a", "n": Decimal(2**60)}, None], NESTED), {"id": "a", "n": str(2**60)}),
        (pa.array([{"id": b"\xff", "n": None}, None], NESTED), {"id": "ff", "n": None}),
        (pa.array([[b"a", b"\xff"], None]), ["a", "ff"]),
        (pa.array([[b"a", b"b"]], pa.list_(pa.binary(), 2)), ["a", "b"]),
        (pa.array([[{"id": b"a"}], None]), [{"id": "a"}]),
        (pa.array([[(b"k", b"v")], None], pa.map_(pa.binary(), pa.binary())), {"k": "v"}),
        (pa.array([[(1, "v")], None], pa.map_(pa.int32(), pa.string())), {"1": "v"}),
    ],
)
def test_what_is_nested_is_read_too(column: pa.Array, told: object) -> None:
    assert _values(column) == [told, None][: len(column)]


def test_a_whole_decimal_is_exact() -> None:
    assert _values(pa.array([Decimal(7), None], pa.decimal128(18, 0))) == [7, None]
    ids = [2**53, 2**53 + 1, -(10**37)]
    assert _values(pa.array([*map(Decimal, ids)], WHOLE)) == [*map(str, ids)]
    assert _values(pa.array([Decimal(10**50)], pa.decimal256(60, 0))) == [str(10**50)]


@given(st.lists(st.decimals(-(10**9), 10**9, places=9), min_size=1, max_size=20))
def test_another_decimal_is_the_nearest_number(numbers: list[Decimal]) -> None:
    for kind in (pa.decimal128(38, 9), pa.decimal256(76, 9)):
        assert _values(pa.array(numbers, kind)) == [*map(float, numbers)]


def test_an_instant_of_spark_may_be_of_any_century() -> None:
    moments = [datetime(9999, 12, 31, tzinfo=UTC), datetime(2018, 10, 1, 12, tzinfo=UTC)]
    column = pa.array(moments, pa.timestamp("us", "UTC"))
    found = _values(column, use_deprecated_int96_timestamps=True)
    assert found == ["9999-12-31 00:00:00", "2018-10-01 12:00:00"]


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "+05:00", "+05:30", "-03:30"])
@pytest.mark.parametrize("unit", ["s", "us", "ns"])
def test_an_instant_is_in_utc_whatever_its_zone(zone: str, unit: str) -> None:
    instant = pa.array([datetime(2018, 10, 1, 12, tzinfo=UTC), None], pa.timestamp(unit, zone))
    told = "2018-10-01T12:00:00+00:00"
    assert _values(instant) == [told, None]
    assert _values(pa.StructArray.from_arrays([instant], ["t"])) == [{"t": told}, {"t": None}]
    assert _values(pa.ListArray.from_arrays([0, 1, 2], instant)) == [[told], [None]]


def test_rows_that_polars_cannot_take_are_a_damaged_file(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: object) -> None:
        raise pl.exceptions.ComputeError("no such type")

    monkeypatch.setattr(pl, "DataFrame", refuse)
    with pytest.raises(DamagedFileError, match="no such type"):
        _values(pa.array([1]))


def test_ids_are_the_same_users_however_parquet_keeps_them() -> None:
    mapping = {"time": {"column": "t", "unit": "ms"}, "user": "u", "page": {"column": "p"}}
    ids = [2**53, 2**53 + 1, 7]
    kinds = {
        "int": pa.array(ids),
        "text": pa.array([*map(str, ids)]),
        "bytes": pa.array([str(one).encode() for one in ids]),
        "decimal": pa.array([*map(Decimal, ids)], WHOLE),
    }
    found = []
    for users in kinds.values():
        written = io.BytesIO()
        pq.write_table(pa.table({"t": [1538352117000] * 3, "u": users, "p": ["x"] * 3}), written)
        found.append(read_block(b"".join(lines_of_rows(written)), ingest_by(mapping), 4).events)
    assert all(one.equals(found[0]) for one in found)
    assert found[0]["user_id"].to_list() == [*map(str, ids)]
