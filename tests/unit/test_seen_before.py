"""Files that are as they were noted are left out, and no others."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl
import pytest

from churn_spark.contracts.tables import FILES
from churn_spark.events.files import ListedFile
from churn_spark.events.readings import (
    FileNote,
    ReadingRules,
    Status,
    build_files,
    known_files,
    plan_readings,
)
from churn_spark.events.seen_before import leave_out_settled
from churn_spark.lakehouse.polars_schema import polars_schema_of

NOW = 1_000_000_000_000
RULES = ReadingRules(settled_by=NOW, now=NOW)


def noted(path: str, size: int, status: Status = "read", batch: int = 0) -> pl.DataFrame:
    return build_files([FileNote(path, size, 5, status, proof="p")], {}, batch)


def left_of(files: Sequence[ListedFile], *rows: pl.DataFrame) -> list[str]:
    """The files that are looked at; what is decided must be the same as if all were."""
    known = pl.concat(rows) if rows else pl.DataFrame(schema=polars_schema_of(FILES))
    left, of_left = leave_out_settled(files, known.to_arrow())
    plans = [
        plan_readings(listed, known_files(notes), lambda _, size: str(size), RULES)
        for listed, notes in ((left, of_left), (files, known.to_arrow()))
    ]
    assert plans[0] == plans[1]
    assert {*of_left["source_file"].to_pylist()} <= {file.path for file in left}
    return [file.path for file in left]


def test_a_file_as_it_was_noted_is_left_out() -> None:
    assert left_of([ListedFile("a", 10, 5)], noted("a", 10)) == []


@pytest.mark.parametrize("file", [ListedFile("a", 11, 5), ListedFile("a", 10, 6)])
def test_a_file_of_another_size_or_time_is_looked_at(file: ListedFile) -> None:
    assert left_of([file], noted("a", 10)) == ["a"]


def test_new_files_are_looked_at_in_their_order() -> None:
    files = [ListedFile(name, 10, 5) for name in "dbca"]
    assert left_of(files, noted("b", 10)) == ["d", "c", "a"]
    assert left_of(files) == [*"dbca"]


@pytest.mark.parametrize("status", ["changed", "unread"])
def test_what_is_still_to_be_mended_is_looked_at(status: Status) -> None:
    assert left_of([ListedFile("a", 10, 5)], noted("a", 10, status)) == ["a"]


def test_the_newest_note_counts() -> None:
    grown = [noted("a", 20, "read on", batch=1), noted("a", 10)]
    assert left_of([ListedFile("a", 20, 5)], *grown) == []
    assert left_of([ListedFile("a", 10, 5)], *grown) == ["a"]


def test_a_note_of_an_older_release_without_a_status_counts_as_read() -> None:
    old = noted("a", 10).with_columns(status=pl.lit(None, pl.String))
    assert left_of([ListedFile("a", 10, 5)], old) == []
