"""HDFS as Python reaches it: by one client for all files of a cluster, or not at all."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from deltalake.fs import DeltaStorageHandler
from obstore.store import LocalStore
from pyarrow.fs import PyFileSystem

from churn_spark.errors import InputError
from churn_spark.lakehouse import hdfs
from churn_spark.lakehouse.location import native_root
from churn_spark.lakehouse.lock_holder import this_holder
from churn_spark.lakehouse.lock_store import ConditionalStore
from churn_spark.lakehouse.lock_tenure import begin_tenure, find_tenure
from churn_spark.lakehouse.lock_view import see_lock
from churn_spark.lakehouse.native_sources import open_source
from churn_spark.lakehouse.parquet_files import scan_files, write_file
from churn_spark.pipeline.tables_without_spark import find_root

LAKE = "hdfs://name:8020/lake"


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder in the place of all clusters."""
    handler = hdfs.WritableHandler
    monkeypatch.setattr(hdfs, "WritableHandler", lambda _: handler(str(tmp_path)))
    for asked in (hdfs._open, hdfs._answers):
        asked.cache_clear()
    yield tmp_path
    for asked in (hdfs._open, hdfs._answers):
        asked.cache_clear()


def test_rows_that_were_written_are_scanned(cluster: Path) -> None:
    rows = pl.DataFrame({"n": [1, 2], "at": [datetime(2018, 10, 1, tzinfo=UTC)] * 2})
    places = [f"{LAKE}/silver/days/event_date={day}/part.parquet" for day in (1, 2)]
    for place in places:
        write_file(rows, place, {})
    assert (cluster / "lake/silver/days/event_date=1/part.parquet").is_file()
    found = scan_files(places, {}).filter(pl.col("n") > 1).collect()
    assert found.equals(pl.concat([rows, rows]).filter(pl.col("n") > 1))


def test_log_is_read_at_any_place_of_it(cluster: Path) -> None:
    (cluster / "logs").mkdir()
    (cluster / "logs" / "a.json").write_bytes(b"0123456789")
    with open_source("hdfs://name:8020/logs/a.json") as source:
        assert source.read_at(3, 4) == b"456"
    with pytest.raises(FileNotFoundError), open_source("hdfs://name:8020/logs/none.json"):
        pass


@pytest.mark.parametrize("name", ["a#b.json", "a?b.json", "a b.json", "a:b.json"])
def test_log_is_read_under_a_name_with_signs_of_an_url(name: str, cluster: Path) -> None:
    (cluster / "logs").mkdir()
    (cluster / "logs" / "a").write_bytes(b"another file")
    (cluster / "logs" / name).write_bytes(b"this file")
    with open_source(f"hdfs://name:8020/logs/{name}") as source:
        assert source.read() == b"this file"


def test_lock_is_seen_by_whoever_has_no_jvm(cluster: Path) -> None:
    assert see_lock(LAKE) is None
    store = ConditionalStore(LocalStore(cluster / "lake", mkdir=True))
    begin_tenure(store, None, this_holder("nightly", []))
    # What a job leaves that is killed while it makes the next one.
    store.exchange("_lock/00000002.json.0123.part", b"")
    assert see_lock(LAKE) == find_tenure(store)


def test_cluster_that_answers_is_reached_without_spark(cluster: Path) -> None:
    assert native_root(LAKE) == LAKE


def test_cluster_that_does_not_answer_is_left_to_spark_and_asked_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Refusing(PyFileSystem):
        def get_file_info(self, _: object) -> None:
            raise OSError("no ticket\nof Kerberos")

    handler = DeltaStorageHandler("memory:///")
    monkeypatch.setattr(hdfs, "_open", lambda _: Refusing(handler))
    hdfs._answers.cache_clear()
    with caplog.at_level(logging.WARNING):
        assert native_root(LAKE) is None
        assert native_root(f"{LAKE}/other") is None
        with pytest.raises(InputError, match=r"does not let Python in .* name node runs"):
            find_root(LAKE)
    hdfs._answers.cache_clear()
    [said] = caplog.messages
    assert said.startswith("hdfs://name:8020/ lets only Spark in")
    assert said.endswith("no ticket of Kerberos")
