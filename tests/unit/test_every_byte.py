"""The search for personal data finds it wherever it is planted."""

from __future__ import annotations

import gzip
import json
import re
import sqlite3
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from builders import record
from every_byte import find_bytes, find_marks, mark

TEXT = "x" * 5000 + json.dumps(mark(record()))


def _sqlite(path: Path) -> None:
    with closing(sqlite3.connect(path)) as store:
        store.execute("create table runs (note text)")
        store.execute("insert into runs values (?)", [TEXT])
        store.commit()


def _zip(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("inside", TEXT)


def _nested(path: Path) -> None:
    reasons = pa.array([[{"level": TEXT, "value": 1.0}]])
    pq.write_table(pa.table({"reasons": reasons}), path, compression="zstd")


PLANTED: dict[str, Callable[[Path], object]] = {
    "a page": lambda path: path.write_text(f"<td>{TEXT}</td>"),
    "gzip": lambda path: path.write_bytes(gzip.compress(TEXT.encode())),
    "zip": _zip,
    "SQLite": _sqlite,
    "Parquet": lambda path: pd.DataFrame({"a": [TEXT] * 9}).to_parquet(path, compression="zstd"),
    "Parquet, a dictionary": lambda path: pd.DataFrame(
        {"a": pd.Series([TEXT] * 9, dtype="category")}
    ).to_parquet(path),
    "Parquet, nested": _nested,
}


@pytest.mark.parametrize("kind", PLANTED)
def test_mark_is_found_when_planted_in(kind: str, tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    assert find_marks(tmp_path) == {}
    PLANTED[kind](tmp_path / "deep" / "planted")
    marks = ("zqid", "zqfirst", "zqlast", "zqplace", "zqagent")
    assert find_marks(tmp_path) == {one: {"deep/planted"} for one in marks}


def test_marked_record_keeps_what_is_no_personal_data() -> None:
    marked = mark(record(userId="", location=None))
    assert (marked["userId"], marked["location"], marked["page"]) == ("", None, "NextSong")


def test_only_content_that_was_searched_before_is_passed_over(tmp_path: Path) -> None:
    searched, pattern = set[bytes](), re.compile(rb"zqid\d+")
    clean, other = (gzip.compress(text) for text in (b"nobody", b"zqid7"))
    (tmp_path / "a").write_bytes(clean)
    assert find_bytes(tmp_path, pattern, searched) == {}
    assert len(searched) == 1
    # Under the same name, as another file, and what was found once is found again.
    (tmp_path / "a").write_bytes(other)
    (tmp_path / "b").write_bytes(other)
    for _ in range(2):
        assert find_bytes(tmp_path, pattern, searched) == {"zqid7": {"a", "b"}}
