"""Which files are told to be others than those that were loaded."""

from __future__ import annotations

from pathlib import Path

import pytest
from local_lakehouse import open_local

from churn_spark.contracts.tables import FILES
from churn_spark.events.readings import FileNote, build_files
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.stores.files import measure_files, read_changed_files


@pytest.fixture
def lakehouse(tmp_path: Path) -> Lakehouse:
    """Four files of two batches; what a third one found of three of them."""
    lakehouse = open_local(tmp_path)
    first = [FileNote("a", 10, 1), FileNote("b", 20, 1)]
    second = [FileNote("c", 30, 1), FileNote("d", 40, 1)]
    third = [
        FileNote("a", 11, 2, "changed"),
        FileNote("c", 33, 2, "changed"),
        FileNote("d", 40, 1, "unread", problem="gone"),
    ]
    for number, notes in enumerate((first, second, third)):
        rows = build_files(notes, {}, number).to_arrow()
        lakehouse.replace_rows(rows, FILES, {"ingest_batch": [number]})
    return lakehouse


def test_changed_files_are_named_until_they_are_read_again(lakehouse: Lakehouse) -> None:
    assert read_changed_files(lakehouse) == ["a", "c"]
    reloaded = build_files([FileNote("c", 33, 2, "read again")], {}, 3).to_arrow()
    lakehouse.replace_rows(reloaded, FILES, {"ingest_batch": [3]})
    assert read_changed_files(lakehouse) == ["a"]


def test_bytes_of_a_batchs_files_are_counted_as_they_are_now(lakehouse: Lakehouse) -> None:
    assert measure_files(lakehouse, {0}) == (31, 11)
    assert measure_files(lakehouse, {1}) == (73, 73)
    assert measure_files(lakehouse, set()) == (0, 0)


def test_nothing_is_changed_where_nothing_was_read(tmp_path: Path) -> None:
    nowhere = open_local(tmp_path / "new")
    assert read_changed_files(nowhere) == []
    assert measure_files(nowhere, {1}) == (0, 0)
