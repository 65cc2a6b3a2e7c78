"""Which files are read, from where and in place of what, by how they are listed and noted."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from builders import write_lines

from churn_spark.config import load_config
from churn_spark.contracts.tables import FILES
from churn_spark.events.files import ListedFile
from churn_spark.events.proofs import look_at_files, prove
from churn_spark.events.readings import (
    FileNote,
    Plan,
    ReadingRules,
    Status,
    build_files,
    known_files,
    plan_readings,
)
from churn_spark.lakehouse.polars_schema import polars_schema_of

CONFIG = load_config().ingest
NOW = 1_000_000_000_000
LOG, PACKED = "file:/a.json", "file:/a.json.gz"


def listed(path: str = LOG, size: int = 100, modified: int = 7) -> ListedFile:
    return ListedFile(path, size, modified)


def was_read(
    path: str = LOG, size: int = 60, status: Status = "read", batch: int = 0, proof: str = "same"
) -> pl.DataFrame:
    go_on_at = None if path == PACKED else size - 10
    note = FileNote(path, size, 5, status, 0, go_on_at, proof if status != "changed" else None)
    return build_files([note], {}, batch)


def plan(
    file: ListedFile,
    *rows: pl.DataFrame,
    proofs: Mapping[int, str] | None = None,
    rules: ReadingRules | None = None,
) -> Plan:
    found = pl.concat(rows) if rows else pl.DataFrame(schema=polars_schema_of(FILES))
    known = known_files(found.to_arrow())
    by_size = {60: "same"} if proofs is None else proofs
    decided = rules or ReadingRules(settled_by=NOW, now=NOW)
    return plan_readings([file], known, lambda _, size: by_size.get(size), decided)


def what(planned: Plan) -> tuple[str, int]:
    (note,) = planned.notes
    return note.status, note.begin


def test_new_file_is_read_and_one_that_is_as_it_was_is_not() -> None:
    assert what(plan(listed())) == ("read", 0)
    assert plan(listed(size=60, modified=5), was_read()) == Plan([], [], [])


def test_plain_file_that_has_only_grown_is_read_on_from_its_last_whole_line() -> None:
    assert what(plan(listed(), was_read())) == ("read on", 50)
    # What counts is the newest note.
    rows = was_read(size=40), was_read(size=60, status="read on", batch=1)
    assert what(plan(listed(), *rows)) == ("read on", 50)


@pytest.mark.parametrize("path", [PACKED, LOG])
def test_file_that_cant_be_read_on_is_read_again_when_it_has_only_grown(path: str) -> None:
    rules = ReadingRules(settled_by=NOW, now=NOW, reads_on=path == PACKED)
    assert what(plan(listed(path), was_read(path), rules=rules)) == ("read again", 0)


@pytest.mark.parametrize(
    ("size", "proofs"), [(100, {60: "other"}), (30, {30: "same"}), (60, {60: "other"}), (0, {})]
)
def test_file_that_was_changed_is_noted_once_and_named_until_it_is_reloaded(
    size: int, proofs: Mapping[int, str]
) -> None:
    first = plan(listed(size=size), was_read(), proofs=proofs)
    assert what(first) == ("changed", size)
    assert first.changed == [LOG]
    rows = was_read(), build_files(first.notes, {}, 1)
    later = plan(listed(size=size), *rows, proofs=proofs)
    assert later == Plan([], [], [LOG])
    reload = ReadingRules(settled_by=NOW, now=NOW, reload="changed")
    again = plan(listed(size=size), *rows, proofs=proofs, rules=reload)
    assert (what(again), again.changed) == (("read again", 0), [])
    assert plan(listed(size=size), *rows, build_files(again.notes, {}, 2)) == Plan([], [], [])


def test_file_is_unchanged_when_only_its_time_differs_or_it_is_put_back() -> None:
    assert what(plan(listed(size=60), was_read())) == ("unchanged", 60)
    put_back = plan(listed(size=60), was_read(), was_read(size=90, status="changed", batch=1))
    assert what(put_back) == ("unchanged", 60)
    assert put_back.changed == []
    # From there it may grow.
    rows = was_read(), build_files(put_back.notes, {}, 2)
    assert what(plan(listed(modified=9), *rows)) == ("read on", 50)


def test_only_changed_files_are_reloaded_unless_all_are_asked_for() -> None:
    as_it_was = listed(size=60, modified=5)
    changed = ReadingRules(settled_by=NOW, now=NOW, reload="changed")
    assert plan(as_it_was, was_read(), rules=changed).notes == []
    everything = ReadingRules(settled_by=NOW, now=NOW, reload="all")
    assert what(plan(as_it_was, was_read(), rules=everything)) == ("read again", 0)
    assert what(plan(listed(), rules=everything)) == ("read", 0)


def test_file_that_could_not_be_opened_is_read_when_it_is_back() -> None:
    gone = build_files([FileNote(LOG, 60, 5).unread("it is gone")], {}, 0)
    assert gone["problem"].to_list() == ["it is gone"]
    assert what(plan(listed(size=60, modified=5), gone)) == ("read again", 0)


def test_empty_file_waits_until_it_has_lines() -> None:
    assert plan(listed(size=0)) == Plan([], [], [])


def test_young_files_are_left_for_the_next_run() -> None:
    rules = ReadingRules(settled_by=NOW - 60_000, now=NOW)
    for modified, is_young in ((NOW - 59_000, True), (NOW - 60_000, False), (NOW + 1, False)):
        for rows in ((), (was_read(),)):
            found = plan(listed(modified=modified), *rows, rules=rules)
            assert (found.young == [LOG], len(found.notes)) == (is_young, 0 if is_young else 1)


def test_rows_of_an_older_release_prove_nothing() -> None:
    old = was_read().with_columns(
        pl.lit(None, pl.String).alias(name) for name in ("status", "proof")
    )
    assert plan(listed(size=60, modified=5), old) == Plan([], [], [])
    assert what(plan(listed(), old)) == ("changed", 100)


def test_files_replace_what_they_delivered_when_the_tables_are_of_two_times() -> None:
    rules = ReadingRules(settled_by=NOW, now=NOW, is_doubtful=True)
    assert what(plan(listed(), rules=rules)) == ("read again", 0)


def test_rows_are_the_notes_with_what_went_wrong() -> None:
    notes = [FileNote(LOG, 9, 1_500_000_000_123, "read on", 3, 9, "p")]
    assert build_files(notes, {LOG: "cut"}, 4).rows() == [
        (LOG, 9, datetime(2017, 7, 14, 2, 40, 0, 123000, UTC), "read on", "cut", 3, 9, "p", 4)
    ]


def look(path: Path, begin: int = 0) -> FileNote:
    note = FileNote(f"file:{path}", path.stat().st_size, 0, "read", begin)
    (seen,) = look_at_files([note], CONFIG)
    return seen


@pytest.mark.parametrize(
    ("content", "go_on_at"),
    [
        (b'{"a":1}\n{"b":2}\n', 16),
        (b'{"a":1}\r\n{"b"', 9),
        (b'{"a":1}\n{"b":2}', 15),
        (b'{"a"', 0),
        (b'\xef\xbb\xbf{"a":1}', 10),
        (b"\xef\xbb\xbf", 0),
        (b"", 0),
        (b'{"a":1}\n' + b"x" * 70_000, 70_008),
        (b"y" * 70_000 + b'\n{"b"', 70_001),
    ],
)
def test_reading_goes_on_at_the_last_line_that_isnt_whole(
    content: bytes, go_on_at: int, tmp_path: Path
) -> None:
    (tmp_path / "a.json").write_bytes(content)
    assert look(tmp_path / "a.json").go_on_at == go_on_at


@pytest.mark.parametrize("size", [10, 3 << 20])
def test_proof_holds_when_a_file_grows_and_not_when_what_was_read_changes(
    size: int, tmp_path: Path
) -> None:
    path = tmp_path / "a.json.gz"
    content = bytes(range(256)) * (size // 256 + 1)
    path.write_bytes(content[:size])
    seen = look(path)
    assert seen.go_on_at is None
    path.write_bytes(content[:size] + b"more")
    assert prove(seen.path, size) == seen.proof
    for changed in (b"X" + content[1:size], content[: size - 1] + b"X", content[: size - 1]):
        path.write_bytes(changed)
        assert prove(seen.path, size) != seen.proof


def test_file_that_is_gone_is_noted_as_unread(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "a.json", ["{}"])
    note = FileNote(f"file:{path}", 3, 0)
    path.unlink()
    (seen,) = look_at_files([note], CONFIG)
    assert seen.status == "unread"
    assert seen.problem
    with pytest.raises(FileNotFoundError):
        prove(note.path, 3)
