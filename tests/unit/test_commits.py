"""Commits without Spark: exactly once, whole partitions, and files that say what is in them."""

from __future__ import annotations

import json
import re
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from types import SimpleNamespace

import polars as pl
import pytest
from deltalake import DeltaTable, TableFeatures
from pyarrow.dataset import field, get_partition_keys

from churn_spark.contracts.tables import EVENTS, TRANSITIONS
from churn_spark.errors import SchemaError
from churn_spark.lakehouse import native_rows
from churn_spark.lakehouse.arrow_files import open_dataset
from churn_spark.lakehouse.commits import (
    Once,
    append_files,
    create_table,
    last_number,
    replace_partitions,
    takes_commits,
)
from churn_spark.lakehouse.data_files import write_data_files
from churn_spark.lakehouse.polars_schema import polars_schema_of

MONDAY, TUESDAY = date(2018, 10, 1), date(2018, 10, 2)
_DAY_MS = 86_400_000


def steps(*rows: tuple[date, str, int]) -> pl.DataFrame:
    """Transitions of a date and a user, so many."""
    full = [(day, user, "free", "Home", "NextSong", n, 1000 * n) for day, user, n in rows]
    return pl.DataFrame(full, schema=polars_schema_of(TRANSITIONS), orient="row")


def read(table: str) -> set[tuple[date, str, int]]:
    rows = DeltaTable(table).to_pyarrow_table(columns=["event_date", "user_id", "n_transitions"])
    return {(r["event_date"], r["user_id"], r["n_transitions"]) for r in rows.to_pylist()}


@pytest.fixture
def table(tmp_path: Path) -> str:
    """The place of an empty table of transitions."""
    create_table(TRANSITIONS, str(tmp_path / "t"), {})
    return str(tmp_path / "t")


def append(table: str, number: int, *rows: tuple[date, str, int], writer: str = "w") -> bool:
    files = write_data_files(steps(*rows), TRANSITIONS, table, {})
    return append_files(files, table, {}, Once(writer, number))


def test_rows_are_found_by_a_text_whose_range_is_not_told(table: str) -> None:
    append(table, 0, (MONDAY, "a", 1), (MONDAY, "b", 2), (TUESDAY, "a", 3))
    rows = open_dataset(DeltaTable(table))
    chosen = (field("user_id") == "a") & (field("event_date") == TUESDAY)
    assert rows.to_table(filter=chosen)["n_transitions"].to_pylist() == [3]
    told = [file.partition_expression for file in rows.get_fragments()]
    assert {get_partition_keys(one)["event_date"] for one in told} == {MONDAY, TUESDAY}
    assert not [one for one in told if "user_id" in str(one)]


def test_rows_are_there_once_when_their_commit_is_repeated(table: str) -> None:
    assert append(table, 0, (MONDAY, "a", 1))
    assert not append(table, 0, (MONDAY, "a", 1))
    assert append(table, 0, (MONDAY, "b", 2), writer="another")
    assert append(table, 1, (MONDAY, "c", 3))
    assert read(table) == {(MONDAY, "a", 1), (MONDAY, "b", 2), (MONDAY, "c", 3)}
    assert DeltaTable(table).version() == 3


def test_an_empty_commit_is_noted_too(table: str) -> None:
    assert append_files([], table, {}, Once("w", 4))
    assert last_number(table, {}, "w") == 4
    assert not append(table, 4, (MONDAY, "a", 1))


def test_one_wins_when_three_race(table: str) -> None:
    with ThreadPoolExecutor(3) as pool:
        for number in range(10):
            row = (MONDAY, f"user {number}", number)
            won = pool.map(append, [table] * 3, [number] * 3, [row] * 3)
            assert sorted(won) == [False, False, True]
    assert len(read(table)) == DeltaTable(table).to_pyarrow_table().num_rows == 10


def test_all_are_there_when_different_writers_race(table: str) -> None:
    with ThreadPoolExecutor(3) as pool:
        for number in range(5):
            one = [(MONDAY, f"{writer} {number}", number) for writer in "abc"]
            won = pool.map(lambda row: append(table, row[2], row, writer=row[1][0]), one)
            assert all(won)
    assert len(read(table)) == 15


def test_partitions_named_are_replaced_and_others_stay(table: str) -> None:
    append(table, 0, (MONDAY, "a", 1), (TUESDAY, "a", 1))
    files = write_data_files(steps((TUESDAY, "b", 2)), TRANSITIONS, table, {})
    days = {"event_date": [TUESDAY, date(2018, 10, 3)]}
    assert replace_partitions(files, table, {}, days, Once("built", 7))
    assert not replace_partitions([], table, {}, days, Once("built", 7))
    assert read(table) == {(MONDAY, "a", 1), (TUESDAY, "b", 2)}
    assert last_number(table, {}, "built") == 7


def test_a_partition_is_empty_when_nothing_takes_its_place(table: str) -> None:
    append(table, 0, (MONDAY, "a", 1), (TUESDAY, "a", 1))
    assert replace_partitions([], table, {}, {"event_date": [MONDAY]}, Once("built", 0))
    assert read(table) == {(TUESDAY, "a", 1)}


def test_a_replacement_stands_once_when_two_race(table: str) -> None:
    append(table, 0, (MONDAY, "a", 1))

    def rebuild(number: int) -> bool:
        files = write_data_files(steps((MONDAY, "b", 2)), TRANSITIONS, table, {})
        return replace_partitions(files, table, {}, {"event_date": [MONDAY]}, Once("b", number))

    with ThreadPoolExecutor(2) as pool:
        for number in range(5):
            assert sorted(pool.map(rebuild, [number] * 2)) == [False, True]
    assert DeltaTable(table).to_pyarrow_table().num_rows == 1


def test_a_table_gets_the_columns_that_were_declared_later(tmp_path: Path) -> None:
    table = str(tmp_path / "t")
    older = replace(TRANSITIONS, columns=TRANSITIONS.columns[:-1])
    create_table(older, table, {})
    append_files(
        write_data_files(steps((MONDAY, "a", 1)).drop("total_millis"), older, table, {}),
        table,
        {},
        Once("w", 0),
    )
    create_table(TRANSITIONS, table, {})
    append(table, 1, (MONDAY, "b", 2))
    rows = DeltaTable(table).to_pyarrow_table(columns=["total_millis"]).column(0)
    assert set(rows.to_pylist()) == {None, 2000}


@pytest.mark.parametrize(
    ("what", "is_plain"),
    [
        ({}, True),
        ({"delta.enableChangeDataFeed": "true"}, True),
        ({"delta.enableDeletionVectors": "true"}, False),
        ({"delta.constraints.positive": "n_transitions > 0"}, False),
    ],
)
def test_a_table_that_only_spark_may_write_is_left_to_it(
    what: dict[str, str], is_plain: bool, tmp_path: Path
) -> None:
    table = str(tmp_path / "t")
    create_table(TRANSITIONS, table, {})
    delta = DeltaTable(table)
    if "delta.enableDeletionVectors" in what:
        delta.alter.add_feature([TableFeatures.DeletionVectors], True)
    delta.alter.set_table_properties(
        {"delta.appendOnly": "false", **what}, raise_if_not_exists=False
    )
    assert takes_commits(table, {}) is is_plain


def test_files_are_removed_after_as_many_days_as_they_are_kept(tmp_path: Path) -> None:
    """Of a table that only Spark may write, too: this is how its files go."""
    table = str(tmp_path / "t")
    create_table(TRANSITIONS, table, {})
    append(table, 0, (MONDAY, "a", 1))
    append(table, 1, (MONDAY, "b", 1))
    delta = DeltaTable(table)
    delta.delete("user_id = 'a'")
    gone = {*Path(table).rglob("*.parquet")} - {Path(one) for one in delta.file_uris()}
    log = sorted(Path(table, "_delta_log").glob("*.json"))[-1]
    then = int(time.time() * 1000) - 10 * _DAY_MS
    told = re.sub(r'("deletionTimestamp":)\d+', rf"\g<1>{then}", log.read_text())
    log.write_text(told)
    native_rows.vacuum(table, {}, 14)
    assert gone
    assert all(one.exists() for one in gone)
    native_rows.vacuum(table, {}, 7)
    assert not any(one.exists() for one in gone)


def test_rows_that_dont_fit_are_refused(table: str) -> None:
    wrong = steps((MONDAY, "a", 1)).rename({"page": "pages"}).cast({"n_transitions": pl.Int32})
    with pytest.raises(SchemaError) as raised:
        write_data_files(wrong, TRANSITIONS, table, {})
    assert "missing ['page'], extra ['pages']" in str(raised.value)
    assert "n_transitions is Int32 instead of Int64" in str(raised.value)


def test_disk_that_is_full_is_named_when_rows_are_written(
    table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise pl.exceptions.ComputeError("Invalid thrift: transport error")

    rows = steps((MONDAY, "a", 1))
    monkeypatch.setattr(pl.DataFrame, "write_parquet", fail)
    with pytest.raises(pl.exceptions.ComputeError):
        write_data_files(rows, TRANSITIONS, table, {})
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=0))
    with pytest.raises(OSError, match="No space left on device"):
        write_data_files(rows, TRANSITIONS, table, {})


def test_ranges_enclose_the_instants_of_a_file(tmp_path: Path) -> None:
    table = str(tmp_path / "t")
    create_table(EVENTS, table, {})
    instants = [
        datetime(2018, 10, 1, 0, 0, 0, 1001, UTC),
        datetime(2018, 10, 2, 0, 0, 0, 1001, UTC),
    ]
    rows = pl.DataFrame({"event_ts": instants}, schema={"event_ts": pl.Datetime("us", "UTC")})
    absent = {k: v for k, v in polars_schema_of(EVENTS).items() if k != "event_ts"}
    rows = rows.with_columns(pl.lit(None, v).alias(k) for k, v in absent.items())
    (file,) = write_data_files(rows, EVENTS, table, {})
    kept = json.loads(file.stats)
    assert kept["numRecords"] == 2
    assert kept["minValues"] == {"event_ts": "2018-10-01T00:00:00.001Z"}
    assert kept["maxValues"] == {"event_ts": "2018-10-02T00:00:00.002Z"}
    assert kept["nullCount"] == {"event_date": 2, "event_ts": 0, "ingest_batch": 2}
