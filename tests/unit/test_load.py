"""Parts of files become data files of the tables, and one commit each, however work is dealt."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from builders import record, write_lines
from deltalake import DeltaTable
from hypothesis import given
from hypothesis import strategies as st

from churn_spark.config import load_config
from churn_spark.contracts.tables import EVENTS, QUARANTINE
from churn_spark.events import load
from churn_spark.events.load import Loaded, LoadTask, load_parts
from churn_spark.lakehouse import native_rows
from churn_spark.lakehouse.byte_ranges import ByteRange, split_files
from churn_spark.lakehouse.commits import Once, append_files
from churn_spark.pipeline.native_feed import deal_parts

CONFIG = load_config().ingest
N_BUCKETS = 3


@pytest.fixture
def task(tmp_path: Path) -> LoadTask:
    """A batch for two empty tables."""
    tables = {spec.path: str(tmp_path / spec.path) for spec in (EVENTS, QUARANTINE)}
    for spec in (EVENTS, QUARANTINE):
        native_rows.create(tables[spec.path], {}, replace(spec, n_buckets=N_BUCKETS))
    return LoadTask(CONFIG, N_BUCKETS, batch=7, today=date(2018, 12, 2), tables=tables, options={})


def write_log(path: Path, n: int, **overrides: Any) -> str:
    records = [record(userId=str(i % 10), itemInSession=i, **overrides) for i in range(n)]
    lines = [*records, "{broken"]
    write_lines(path, lines)
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(path.read_bytes()))
    return f"file:{path}"


def commit(loaded: Loaded, task: LoadTask) -> dict[str, pl.DataFrame]:
    """The tables with what was loaded; committed twice, which must not matter."""
    for spec in (EVENTS, QUARANTINE) * 2:
        append_files(loaded.files[spec.path], task.tables[spec.path], {}, Once("test", task.batch))
    return {name: pl.read_delta(uri) for name, uri in task.tables.items()}


def parts_of(paths: Sequence[str], n_bytes: int) -> list[ByteRange]:
    sizes = [Path(path.removeprefix("file:")).stat().st_size for path in paths]
    return split_files(zip(paths, [0] * len(paths), sizes, strict=True), n_bytes)


def test_tables_have_every_line_once_with_its_delivery(tmp_path: Path, task: LoadTask) -> None:
    paths = [write_log(tmp_path / "a b.json", 100), write_log(tmp_path / "b.json.gz", 50)]
    told: list[tuple[int, int]] = []
    loaded = load_parts(parts_of(paths, 1000), task, lambda *more: told.append(more))
    tables = commit(loaded, task)
    events = tables[EVENTS.path]
    assert {name: n for name, n in loaded.lines.items() if n} == {
        "read": 152,
        "accepted": 150,
        "broken JSON": 2,
    }
    assert sorted(events["item_in_session"]) == sorted([*range(100), *range(50)])
    assert events["source_file"].value_counts().sort("count").rows() == [
        (paths[1], 50),
        (paths[0], 100),
    ]
    assert set(events["ingest_batch"]) == {7}
    assert sorted(tables[QUARANTINE.path]["source_file"]) == paths
    n_bytes = sum(part.length for part in parts_of(paths, 1000))
    assert [sum(column) for column in zip(*told, strict=True)] == [n_bytes, 152]


def test_each_bucket_has_one_file_with_its_ranges(tmp_path: Path, task: LoadTask) -> None:
    path = write_log(tmp_path / "a.json", 100)
    commit(load_parts(parts_of([path], 2000), task, lambda *_: None), task)
    table = DeltaTable(task.tables[EVENTS.path])
    files = pl.DataFrame(table.get_add_actions(flatten=True))
    assert sorted(files["partition.bucket"]) == [0, 1, 2]
    assert files["num_records"].sum() == 100
    for name in EVENTS.skipping_columns:
        assert f"min.{name}" in files.columns


def test_rows_are_written_before_they_are_too_many(
    tmp_path: Path, task: LoadTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(load, "_MAX_ROWS", 20)
    path = write_log(tmp_path / "a.json", 100)
    loaded = load_parts(parts_of([path], 2000), task, lambda *_: None)
    assert len(loaded.files[EVENTS.path]) > 2 * N_BUCKETS
    assert commit(loaded, task)[EVENTS.path].height == 100


def test_damaged_and_missing_files_are_named_and_the_others_loaded(
    tmp_path: Path, task: LoadTask
) -> None:
    paths = [write_log(tmp_path / "a.json", 10), write_log(tmp_path / "b.json.gz", 10)]
    parts = parts_of(paths, 1 << 20)
    (tmp_path / "b.json.gz").write_bytes(b"not compressed at all")
    parts.append(ByteRange(f"file:{tmp_path / 'gone.json'}", 0, 5))
    loaded = load_parts(parts, task, lambda *_: None)
    assert loaded.lines["accepted"] == 10
    assert list(loaded.broken) == [paths[1]]
    assert list(loaded.unread) == [parts[-1].path]


@given(st.lists(st.integers(1, 3 << 29), min_size=1, max_size=40), st.integers(1, 9))
def test_parts_are_dealt_in_their_order_and_evenly(sizes: list[int], n_cores: int) -> None:
    parts = [ByteRange(str(number), 0, size) for number, size in enumerate(sizes)]
    hands = deal_parts(parts, n_cores)
    assert [part for hand in hands for part in hand] == parts
    assert all(hands)
    shares = [sum(part.length for part in hand) for hand in hands]
    assert max(shares) <= sum(sizes) / min(n_cores, len(sizes)) + max(sizes)
    assert max(shares) <= (512 << 20) + max(sizes)


def test_no_core_has_a_task_more_than_another() -> None:
    parts = [ByteRange(str(number), 0, 48 << 20) for number in range(27)]
    assert sorted(len(hand) for hand in deal_parts(parts, n_cores=2)) == [6, 7, 7, 7]
