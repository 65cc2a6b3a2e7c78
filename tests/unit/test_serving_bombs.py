"""Small requests that want to become large, over HTTP to a service in a process of its own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

import httpx
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from champion_builders import publish
from serving_builders import add_behaviour, fill_tables, make_bundle, make_config

from bench.bomb_bodies import BOMBS, LARGEST, Bomb, arrow, coded_text, parquet
from bench.bombs import is_refusal, knock, send
from bench.server import Server, serving
from churn_spark.errors import RequestError
from churn_spark.serving.batches import ARROW, PARQUET, BatchLimits, read_batch
from churn_spark.serving.batches.parquet_file import read_parquet
from churn_spark.serving.batches.thrift import Reader

PROMISED_MB = 512


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("bombs")
    config = make_config(folder)
    bundle = publish(config, add_behaviour(make_bundle()), "1")
    fill_tables(config, replace(bundle, version="1"), 20, 1)
    with serving(str(folder)) as server:
        yield server


@pytest.mark.parametrize("bomb", BOMBS, ids=lambda bomb: bomb.name)
def test_request_is_answered_without_becoming_large(server: Server, bomb: Bomb) -> None:
    body = bomb.body()
    assert len(body) <= LARGEST + 1000
    status = send(server, bomb.path, bomb.kind, body)
    assert is_refusal(status), status
    assert server.peak_mb < PROMISED_MB
    assert httpx.get(f"{server.address}/health").status_code == 200


def test_what_needs_no_key_breaks_nothing(server: Server) -> None:
    found = dict(knock(server))
    assert [*found.values()] == ["431", "400", "200", "401, 429"]
    assert server.peak_mb < PROMISED_MB


def test_memory_of_the_process_is_not_sent_back() -> None:
    """A text that ends beyond its message was read, and a user_id is answered as it came."""
    bomb = next(one for one in BOMBS if "beyond its message" in one.name)
    with pytest.raises(RequestError, match="can't be read") as caught:
        read_batch(bomb.body(), ARROW, BatchLimits(10))
    assert caught.value.status == 422


def test_long_text_makes_its_rows_unfit_in_every_format() -> None:
    texts = ["x" * 201, "Mac", None, "x" * 201]
    table = pa.table({"os": texts, "num_sessions": [1.0, 2.0, 3.0, 4.0]})
    coded = table.set_column(0, "os", table["os"].dictionary_encode())
    rows = [{name: value for name, value in row.items() if value} for row in table.to_pylist()]
    for body, kind in (
        (arrow(table), ARROW),
        (arrow(coded), ARROW),
        (parquet(table), PARQUET),
        (parquet(table, use_dictionary=False, compression="zstd"), PARQUET),
        (json.dumps({"rows": rows}).encode(), "application/json"),
    ):
        batch = read_batch(body, kind, BatchLimits(10))
        assert sorted(batch.problems) == [0, 3]
        assert "at most 200" in str(batch.problems[0][0]["problem"])
        assert batch.rows["os"].iloc[1] == "Mac"
        assert batch.rows["os"].isna().tolist() == [True, False, True, True]


@pytest.mark.parametrize("compression", ["zstd", "lz4"])
def test_compressed_stream_is_read_up_to_the_limit(compression: str) -> None:
    table = pa.table({"num_sessions": np.arange(1000, dtype=float), "os": ["Mac"] * 1000})
    body = arrow(table, compression=compression)
    assert (
        read_batch(body, ARROW, BatchLimits(1000, unfolded_bytes=20_000)).rows["os"][999] == "Mac"
    )
    with pytest.raises(RequestError, match="unfolds into more than 10,000 bytes") as caught:
        read_batch(body, ARROW, BatchLimits(1000, unfolded_bytes=10_000))
    assert caught.value.status == 413


@pytest.mark.parametrize("compression", ["none", "snappy", "zstd", "gzip"])
@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_pages_are_counted_as_they_unfold(compression: str, version: str) -> None:
    table = pa.table({"num_sessions": np.arange(1000, dtype=float), "os": ["Mac"] * 1000})
    body = parquet(
        table, compression=compression, data_page_version=version, use_dictionary=["os"],
        data_page_size=1000, row_group_size=300,
    )  # fmt: skip
    assert read_parquet(body, BatchLimits(1000, unfolded_bytes=12_000)).num_rows == 1000
    with pytest.raises(RequestError, match="unfolds into more than 7,900 bytes"):
        read_parquet(body, BatchLimits(1000, unfolded_bytes=7900))


def test_page_that_another_reader_would_read_otherwise_is_refused() -> None:
    """Arrow takes the first of two equal fields, and skips a number of another kind."""
    table = pa.table({"location": ["a" * 1000]})
    body = parquet(table, use_dictionary=False, compression="zstd", write_statistics=False)
    assert read_parquet(body, BatchLimits(10)).num_rows == 1
    reader = Reader(memoryview(body), 4)
    page = reader.struct()
    assert page[2] > 1000
    stop = reader.at - 1
    assert body[stop] == 0
    for field in (
        b"\x06\x04\x02",  # field 2, the size, once more: a number of 64 bits, 1
        b"\x05\x04\x02",  # the same of 32 bits
        b"\x0c\x0e\x00",  # field 7, of a page that is a dictionary
    ):
        crafted = body[:stop] + field + body[stop:]
        with pytest.raises(RequestError, match=r"field 2 twice|doesn't fit its kind"):
            read_parquet(crafted, BatchLimits(10))
    sized = body.index(b"\x15", 4 + 1)
    other_kind = body[:sized] + b"\x16" + body[sized + 1 :]
    with pytest.raises(RequestError, match="no number of the right kind in field 2"):
        read_parquet(other_kind, BatchLimits(10))


def test_notes_beside_rows_are_refused_for_they_may_say_that_these_are_compressed() -> None:
    batch = pa.record_batch({"location": ["Mac"]})
    version = pa.ipc.MetadataVersion.V4
    for notes in (None, {"ARROW:experimental_compression": "ZSTD"}):
        sink = pa.BufferOutputStream()
        options = pa.ipc.IpcWriteOptions(metadata_version=version)
        with pa.ipc.new_stream(sink, batch.schema, options=options) as stream:
            stream.write_batch(batch, custom_metadata=notes)
        body = sink.getvalue().to_pybytes()
        if notes is None:
            assert len(read_batch(body, ARROW, BatchLimits(10)).rows) == 1
            continue
        with pytest.raises(RequestError, match="found notes beside rows"):
            read_batch(body, ARROW, BatchLimits(10))


def test_column_of_categories_of_which_none_is_left_is_missing() -> None:
    frame = pd.DataFrame({"num_sessions": [1.0, 2.0], "location": ["CA", None]})
    rest = frame.astype({"location": "category"})[1:]
    table = pa.Table.from_pandas(
        rest.assign(location=rest["location"].cat.remove_unused_categories()),
        preserve_index=False,
    )
    assert pa.types.is_null(table.schema.field("location").type.value_type)
    for body, kind in ((arrow(table), ARROW), (parquet(table), PARQUET)):
        batch = read_batch(body, kind, BatchLimits(10))
        assert not batch.problems
        assert batch.rows["location"].isna().tolist() == [True]


def test_only_so_many_problems_are_told() -> None:
    rows = [{f"n{number}": 1 for number in range(80)}] * 400
    batch = read_batch(json.dumps(rows).encode(), "application/json", BatchLimits(400))
    assert len(batch.problems) == 400
    assert sum(map(len, batch.problems.values())) < 1500
    assert "more than fit in here" in str(batch.problems[399][-1]["problem"])


def test_codes_beyond_their_dictionary_are_refused() -> None:
    body = arrow(coded_text(3, 77))
    codes = np.zeros(77, dtype=np.int32).tobytes()
    assert codes in body
    with pytest.raises(RequestError, match="can't be read"):
        read_batch(body.replace(codes, b"\x07" * len(codes)), ARROW, BatchLimits(100))


@pytest.mark.parametrize("kind", [ARROW, PARQUET])
def test_body_with_a_wrong_byte_is_refused_or_has_its_rows(kind: str) -> None:
    """A letter of a name, a digit or padding may be wrong unnoticed; most bytes hold the rest."""
    table = pa.table({"num_sessions": [1.0, 2.0], "os": ["Mac", "Linux"], "user_id": ["a", "b"]})
    body = arrow(table, compression="zstd") if kind == ARROW else parquet(table)
    rng, n_refused, places = np.random.default_rng(0), 0, 400
    for at in rng.integers(0, len(body), places).tolist():
        damaged = bytearray(body)
        damaged[at] = int(rng.integers(256))
        # Another error would be a 500.
        try:
            assert len(read_batch(bytes(damaged), kind, BatchLimits(100)).rows) == 2
        except RequestError:
            n_refused += 1
    assert n_refused >= places // 2
