"""A block of JSON lines -> records; a line that is none keeps its reason instead.

Polars parses a block as a whole and refuses it for a single line that isn't a plain record. What
it would accept with another value than `line.read_line` is looked for, and those lines are read
one by one; so both ways give the same records.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import orjson
import polars as pl

from churn_spark.events.line import Record, read_line
from churn_spark.events.rules import MAX_DIGITS, NUMBERS, TEXTS

LINE: Final = "line"
"""Column of a record's place: the number of its line in the block."""

RECORD_SCHEMA: Final[Mapping[str, pl.DataType]] = {
    **{name: pl.Float64() for name in NUMBERS},
    **{name: pl.String() for name in TEXTS},
}

# Any text of a surrogate is one half of a pair, or Polars makes NUL of it.
_SURROGATE: Final = re.compile(rb"\\u[dD][89a-fA-F]")
_PAIR: Final = re.compile(rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}")
_BLANK: Final = re.compile(rb"(?:\s|\xef\xbb\xbf)*")
_BEGIN: Final = re.compile(rb"\s*\{")
_LONG_NUMBER: Final = re.compile(rb"[0-9.eE+-]{%d}" % (MAX_DIGITS + 1))
# What a nested value, a boolean, or a number with digits of Polars' own, looks like as text.
_NOT_TEXT: Final = r"^(?:[\[{]|-?[0-9]+\.[0-9]*$|-?[0-9]{22,}$|true$|false$)"
_NOT_PAGE: Final = r"^(?:[\[{]|-?[0-9]|true$|false$)"
_NUMBER_TYPES: Final = frozenset({int, float, type(None)})
_TEXT_TYPES: Final = frozenset({str, int, float, type(None)})


@dataclass(frozen=True)
class Lines:
    """A block's lines, cut only when one of them is asked for.

    Attributes:
        data: whole lines, each ended by a line feed; the last one's may be missing.
    """

    data: bytes

    @classmethod
    def of(cls, data: bytes) -> Lines:
        """The lines of a block whose lines end with LF, CRLF or CR."""
        return cls(data.replace(b"\r", b"\n") if b"\r" in data else data)

    @cached_property
    def each(self) -> Sequence[bytes]:
        """Every line without its end, blank ones too."""
        return self.data.split(b"\n")

    @property
    def n_ends(self) -> int:
        """How many lines there are."""
        return self.data.count(b"\n") + (not self.data.endswith(b"\n"))

    def has_longer_than(self, n_bytes: int) -> bool:
        """Whether any line is longer."""
        at, end = 0, len(self.data)
        while at + n_bytes < end:
            found = self.data.rfind(b"\n", at, at + n_bytes + 1)
            if found < 0:
                return True
            at = found + 1
        return False

    @property
    def has_long_number(self) -> bool:
        """Whether there may be a number that is too long to be one."""
        return self.has_longer_than(MAX_DIGITS) and bool(_LONG_NUMBER.search(self.data))


@dataclass(frozen=True)
class Parsed:
    """What the lines of a block are.

    Attributes:
        lines: the block.
        records: one row per record: `RECORD_SCHEMA` and `LINE`.
        problems: number of each other line that isn't blank -> why it is no record.
    """

    lines: Lines
    records: pl.DataFrame
    problems: Mapping[int, str]


def parse_block(data: bytes, max_line_bytes: int) -> Parsed:
    """The records of a block of whole lines.

    Args:
        data: lines that end with LF, CRLF or CR, without a byte-order mark.
        max_line_bytes: longer lines aren't parsed.
    """
    lines = Lines.of(data)
    if not lines.has_longer_than(max_line_bytes) and not lines.has_long_number:
        records = _parse_strictly(lines.data)
        if records is not None and records.height == lines.n_ends:
            numbered = records.with_columns(pl.int_range(pl.len(), dtype=pl.Int64).alias(LINE))
            return _read_doubtful(lines, numbered, {}, max_line_bytes)
    return _parse_screened(lines, max_line_bytes)


def _parse_screened(lines: Lines, max_line_bytes: int) -> Parsed:
    """Plain lines by Polars, the others one by one."""
    plain, others = [], []
    for number, line in enumerate(lines.each):
        if len(line) <= max_line_bytes and _is_plain(line):
            plain.append(number)
        elif not _BLANK.fullmatch(line):
            others.append(number)
    records = _parse_strictly(b"\n".join(lines.each[number] for number in plain))
    if records is None or records.height != len(plain):
        others += plain
        numbered = _frame_of({})
    else:
        numbered = records.with_columns(pl.Series(LINE, plain, dtype=pl.Int64))
    read, problems = _read_each(lines, others, max_line_bytes)
    return _read_doubtful(lines, pl.concat([numbered, read]), problems, max_line_bytes)


def _read_doubtful(
    lines: Lines, records: pl.DataFrame, problems: Mapping[int, str], max_line_bytes: int
) -> Parsed:
    """Read again, one by one, the lines with a text that may have been no text."""
    doubts = [
        pl.col(name).str.contains(_NOT_PAGE if name == "page" else _NOT_TEXT) for name in TEXTS
    ]
    is_doubtful = records.select(pl.any_horizontal(doubts).fill_null(value=False)).to_series()
    if not is_doubtful.any():
        return Parsed(lines, records, problems)
    numbers = records.filter(is_doubtful)[LINE].to_list()
    read, found = _read_each(lines, numbers, max_line_bytes)
    return Parsed(lines, pl.concat([records.filter(~is_doubtful), read]), {**problems, **found})


def _read_each(
    lines: Lines, numbers: Iterable[int], max_line_bytes: int
) -> tuple[pl.DataFrame, dict[int, str]]:
    records: dict[int, Record] = {}
    problems: dict[int, str] = {}
    for number in numbers:
        found = read_line(lines.each[number], max_line_bytes)
        if isinstance(found, str):
            problems[number] = found
        else:
            records[number] = found
    return _frame_of(records), problems


def _frame_of(records: Mapping[int, Record]) -> pl.DataFrame:
    rows = [(*record, number) for number, record in records.items()]
    return pl.DataFrame(rows, schema={**RECORD_SCHEMA, LINE: pl.Int64()}, orient="row")


def _parse_strictly(data: bytes) -> pl.DataFrame | None:
    """The records of lines that are all plain; none if Polars refuses them, or should."""
    surrogates = len(_SURROGATE.findall(data))
    if surrogates and surrogates != 2 * len(_PAIR.findall(data)):
        return None
    if not data or data.isspace():
        return pl.DataFrame(schema=RECORD_SCHEMA)
    if not _BEGIN.match(data):
        # Such as compressed data under another name, which Polars would unfold by itself.
        return None
    try:
        return pl.read_ndjson(data, schema=RECORD_SCHEMA)
    except pl.exceptions.PolarsError:
        return None


def _is_plain(line: bytes) -> bool:
    """Whether Polars is likely to take the line; where this errs, lines are read one by one."""
    if len(line) > MAX_DIGITS and _LONG_NUMBER.search(line):
        return False
    try:
        record: Any = orjson.loads(line)
    except ValueError:
        return False
    if type(record) is not dict:
        return False
    get = record.get
    return {type(get(name)) for name in NUMBERS} <= _NUMBER_TYPES and {
        type(get(name)) for name in TEXTS
    } <= _TEXT_TYPES
