"""Lines of JSON and rows of cells without those of some users, found as the ingest reads them."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any, Final

import orjson

from churn_spark.events.foreign.csv_rows import cut_cells, guess_separator
from churn_spark.events.foreign.numbers import whole_of_cell
from churn_spark.events.line import parse_line
from churn_spark.events.rules import BYTE_ORDER_MARK, WHITE_SPACE
from churn_spark.events.values import text_of
from churn_spark.scoring.list_csv import safe_cell

FIELDS: Final = ("user_id", "userId")
"""Under which a file has its users."""
_KEY: Final = re.compile(rb'"user(?:_i|I)d"')
_AS_IT_IS: Final = (str, int, type(None))


def without_lines(content: bytes, user_ids: frozenset[str]) -> bytes:
    """Lines of JSON without the users' records, and without broken ones that say so."""
    lines = content.splitlines(keepends=True)
    kept = [line for line in lines if not _is_of(line, user_ids)]
    return content if len(kept) == len(lines) else b"".join(kept)


def without_rows(content: bytes, user_ids: frozenset[str]) -> bytes:
    """Rows of cells without the users'; as they are where the first row names no user's column."""
    shown = user_ids.union(map(safe_cell, user_ids))
    # One cell in another encoding is no reason to keep the other rows.
    text = content.decode(errors="surrogateescape")
    # The ingest takes 7.0 for 7.
    kept = [
        row
        for row, cell in _csv_rows(text)
        if cell is None or shown.isdisjoint((cell, whole_of_cell(cell)))
    ]
    cleaned = "".join(kept)
    is_same = cleaned == text.removeprefix(BYTE_ORDER_MARK)
    return content if is_same else cleaned.encode(errors="surrogateescape")


def _is_of(line: bytes, user_ids: frozenset[str]) -> bool:
    """Whether a line is a user's record, or a broken one that says so."""
    try:
        found = _read(line)
    except ValueError:
        return any(_names(line, one) for one in user_ids)
    return isinstance(found, dict) and any(_id_of(found.get(name)) in user_ids for name in FIELDS)


def _read(line: bytes) -> object:
    """The value of a line, with the ids that the ingest's reader finds.

    That is ten times slower than orjson, which finds others where a key is there twice, or an id
    has more digits than it keeps.

    Raises:
        ValueError: if the ingest refuses the line, too.
    """
    # A letter of a key can be escaped in one way only.
    if b"\\u" not in line and len(_KEY.findall(line)) <= 1:
        with suppress(ValueError):
            found: Any = orjson.loads(line)
            if isinstance(found, dict) and all(
                isinstance(found.get(name), _AS_IT_IS) for name in FIELDS
            ):
                return found
    return parse_line(line)


def _id_of(value: object) -> str | None:
    try:
        text = text_of("userId", value)
    except TypeError:
        return None
    return None if text is None else text.strip(WHITE_SPACE)


def _names(line: bytes, user_id: str) -> bool:
    pattern = rf'"user_?id"\s*:\s*"?\s*{re.escape(user_id)}(?![\w.])'
    return bool(re.search(pattern.encode(), line, re.IGNORECASE))


def _csv_rows(text: str) -> Iterator[tuple[str, str | None]]:
    """Each row as it is written, and what it shows as the user."""
    lines = [*io.StringIO(text.removeprefix(BYTE_ORDER_MARK), newline="")]
    separator = guess_separator(lines[0]) if lines else ","
    at, place, n_cells = 0, None, 0
    while at < len(lines):
        cells, n_lines = _cut(lines, at, separator, n_cells)
        row = "".join(lines[at : at + n_lines])
        if at == 0:
            names = [name.strip() for name in cells]
            place = next((names.index(name) for name in FIELDS if name in names), None)
            n_cells = len(names)
            yield row, None
        else:
            yield row, cells[place].strip() if place is not None and place < len(cells) else None
        at += n_lines


def _cut(lines: Sequence[str], at: int, separator: str, n_cells: int) -> tuple[list[str], int]:
    """The cells of the row that begins on a line, and the number of lines that it has.

    To the ingest each line is a row. A cell goes on over several, as in an export, only where the
    row then has as many cells as the first one: any other quote without an end is a stray one.
    """
    line = lines[at].rstrip("\r\n")
    with suppress(csv.Error):
        return cut_cells(line, separator), 1
    with suppress(csv.Error, StopIteration):
        rest = (lines[number] for number in range(at, len(lines)))
        reader = csv.reader(rest, delimiter=separator, strict=True)
        cells = next(reader)
        if len(cells) == n_cells:
            return cells, reader.line_num
    return [cell.strip('"') for cell in line.split(separator)], 1
