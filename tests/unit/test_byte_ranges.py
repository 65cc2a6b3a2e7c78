"""Each line of a file is read by exactly one of its parts, however the file is cut."""

from __future__ import annotations

import gzip
import io
import re

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from churn_spark.errors import DamagedFileError
from churn_spark.lakehouse.byte_ranges import (
    ByteRange,
    Piece,
    read_gzip,
    read_plain,
    split_files,
)

_LONGEST = 5
_MARK = b"\xef\xbb\xbf"
_CONTENTS = st.lists(st.sampled_from([b"a", b"bcd", b"\n", b"\r", b"\r\n", _MARK])).map(b"".join)


def lines_of(pieces: list[Piece]) -> list[tuple[bytes, int]]:
    """First bytes and length of each line that isn't empty."""
    found = []
    for piece in pieces:
        lines = re.split(rb"[\r\n]", piece.data)
        sizes = [len(line) for line in lines]
        if piece.n_cut:
            sizes[-1] += piece.n_cut
        found += [(line[:_LONGEST], n) for line, n in zip(lines, sizes, strict=True) if n]
    return found


def expected_of(content: bytes) -> list[tuple[bytes, int]]:
    return lines_of([Piece(content.removeprefix(_MARK))])


def is_placed(pieces: list[Piece], content: bytes) -> bool:
    """Whether each piece says truly where it is in the content."""
    return all(content[one.offset :].startswith(one.data) for one in pieces)


def read_in_parts(content: bytes, n_bytes: int, listed: int | None = None) -> list[Piece]:
    source = pa.PythonFile(io.BytesIO(content), mode="r")
    parts = split_files([("log.json", 0, len(content) if listed is None else listed)], n_bytes)
    return [piece for part in parts for piece in read_plain(source, part, _LONGEST)]


def read_to_damage(packed: bytes) -> tuple[bytes, str]:
    """What comes before the damage, and what is said of it."""
    read = b""
    try:
        for piece in read_gzip(io.BytesIO(packed), 1 << 16, 1 << 16):
            read += piece.data
    except DamagedFileError as error:
        return read, str(error)
    return read, ""


@given(_CONTENTS, st.integers(4, 9))
def test_each_line_is_in_one_part_when_file_is_cut(content: bytes, n_bytes: int) -> None:
    pieces = read_in_parts(content, n_bytes)
    assert lines_of(pieces) == expected_of(content)
    assert is_placed(pieces, content)


@given(st.lists(_CONTENTS), st.integers(1, 9))
def test_gzip_has_the_lines_of_its_members(members: list[bytes], n_bytes: int) -> None:
    packed = b"".join(map(gzip.compress, members))
    pieces = list(read_gzip(io.BytesIO(packed), n_bytes, _LONGEST))
    assert lines_of(pieces) == expected_of(b"".join(members))
    assert is_placed(pieces, b"".join(members))


def test_bound_holds_when_a_line_never_ends() -> None:
    content = b"start\n" + b"x" * 3_000_000
    for pieces in (
        read_in_parts(content, 100),
        list(read_gzip(io.BytesIO(gzip.compress(content)), 100, _LONGEST)),
    ):
        assert lines_of(pieces) == [(b"start", 5), (b"xxxxx", 3_000_000)]
        assert max(len(piece.data) for piece in pieces) < 200


def test_whole_lines_before_the_damage_come_when_gzip_is_cut_off() -> None:
    content = b"".join(b"line %d\n" % number for number in range(100_000))
    read, problem = read_to_damage(gzip.compress(content)[:-2000])
    assert "truncated" in problem
    assert len(content) * 0.9 < len(read) < len(content)
    assert content.startswith(read)
    assert read.endswith(b"\n")


@pytest.mark.parametrize("behind", [b"", b"\0" * 700])
def test_padding_behind_a_gzip_is_no_damage(behind: bytes) -> None:
    source = io.BytesIO(gzip.compress(b"a\n") + behind)
    assert lines_of(list(read_gzip(source, 1 << 16, 1 << 16))) == [(b"a", 1)]


def test_lines_before_come_when_bytes_in_the_middle_are_damaged() -> None:
    content = b"".join(b"line %d\n" % (number * 7919) for number in range(200_000))
    packed = bytearray(gzip.compress(content))
    packed[len(packed) // 2 : len(packed) // 2 + 50] = b"\xff" * 50
    read, problem = read_to_damage(bytes(packed))
    assert "damaged" in problem
    assert len(content) * 0.4 < len(read) < len(content) * 0.6


def test_file_that_is_no_gzip_is_damaged() -> None:
    with pytest.raises(DamagedFileError, match="incorrect header"):
        list(read_gzip(io.BytesIO(b"not compressed at all"), 100, 100))


def test_gzip_is_read_whole_and_empty_files_are_not_read() -> None:
    parts = split_files(
        [("a.json", 0, 5), ("b.json", 0, 0), ("c.json.gz", 0, 9), ("d.gz", 0, 0)], 3
    )
    assert parts == [
        ByteRange("a.json", 0, 3, 5),
        ByteRange("a.json", 3, 2, 5),
        ByteRange("c.json.gz", 0, 9),
    ]


@given(_CONTENTS, st.integers(4, 9), st.data())
def test_what_came_after_the_listing_is_not_read(
    content: bytes, n_bytes: int, data: st.DataObject
) -> None:
    listed = data.draw(st.integers(0, len(content)))
    assert read_in_parts(content, n_bytes, listed) == read_in_parts(content[:listed], n_bytes)
