"""What is at a place of a file is what is there, packed or not."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from churn_spark.lakehouse.file_places import read_places

CONTENT = b"".join(b"line %d\n" % number for number in range(100_000))
PLACES = [(0, 6), (7, 6), (500_000, 3), (len(CONTENT) - 2, 9)]


@pytest.mark.parametrize("name", ["a b.json", "a.json.gz"])
def test_places_hold_what_is_there(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(gzip.compress(CONTENT) if path.suffix == ".gz" else CONTENT)
    expected = [CONTENT[start : start + length] for start, length in PLACES]
    assert list(read_places(f"file:{path}", PLACES)) == expected


def test_damage_before_a_place_is_an_error_after_what_comes_before(tmp_path: Path) -> None:
    path = tmp_path / "a.json.gz"
    path.write_bytes(gzip.compress(CONTENT)[:-20_000])
    found = read_places(f"file:{path}", PLACES)
    assert next(found) == b"line 0"
    with pytest.raises(OSError, match=r"ended before"):
        list(found)
    with pytest.raises(FileNotFoundError):
        list(read_places(f"file:{tmp_path / 'gone.json'}", PLACES))
