"""A block of foreign lines -> the same lines as the kernel reads them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from churn_spark.config.mapping import LogMapping
from churn_spark.events.foreign.csv_rows import CsvRows
from churn_spark.events.foreign.record import Translator
from churn_spark.events.line import parse_line
from churn_spark.events.parse import Lines
from churn_spark.events.rules import BROKEN_ROW, INVALID_UTF8

_NESTED: Final = (dict, list)


@dataclass(frozen=True)
class Translated:
    """Lines in our words.

    Attributes:
        lines: as many as there were; one that can't be read is as it was, a row of cells empty.
        problems: number of a row that can't be read -> why.
    """

    lines: Lines
    problems: Mapping[int, str] = field(default_factory=dict)


def translate_lines(
    lines: Lines, mapping: LogMapping, max_line_bytes: int, rows: CsvRows | None
) -> Translated:
    """Our lines of foreign ones: line for line, so that a line's number stays its number.

    Args:
        lines: of a log.
        mapping: of its columns.
        max_line_bytes: longer lines are left as they are.
        rows: how lines of cells are read; none where they are JSON.
    """
    translator = Translator(mapping)
    ours: list[bytes] = []
    problems: dict[int, str] = {}
    for number, line in enumerate(lines.each):
        if len(line) > max_line_bytes:
            ours.append(line)
        elif rows is None:
            ours.append(_translate_json(line, translator))
        elif not line.strip():
            ours.append(b"")
        else:
            found = _translate_row(line, translator, rows)
            if isinstance(found, str):
                problems[number] = found
            ours.append(b"" if isinstance(found, str) else found)
    return Translated(Lines(b"\n".join(ours)), problems)


def _translate_json(line: bytes, translator: Translator) -> bytes:
    try:
        found: Any = orjson.loads(line)
    except ValueError:
        return _translate_odd(line, translator)
    if not isinstance(found, dict):
        return line
    if line.count(b'":') != _count_keys(found):
        # A key may stand twice, of which the last was kept; or it only looks so.
        return _translate_odd(line, translator)
    return _write(translator.translate(found))


def _count_keys(found: Any) -> int:
    """Of an object and of what is nested in it, however deep."""
    n_keys, nested = 0, [found]
    while nested:
        here = nested.pop()
        if type(here) is dict:
            n_keys += len(here)
            here = here.values()
        # A line has many values and few that are nested: `isinstance` would take twice as long.
        nested += [one for one in here if type(one) in _NESTED]
    return n_keys


def _translate_odd(line: bytes, translator: Translator) -> bytes:
    """The same of a line that may be JSON in a wider sense: infinite numbers, keys that repeat."""
    try:
        found = parse_line(line)
    except ValueError:
        return line
    return _write_widely(translator.translate(found)) if isinstance(found, dict) else line


def _translate_row(line: bytes, translator: Translator, rows: CsvRows) -> bytes | str:
    try:
        return _write(translator.translate(rows.read(line)))
    except UnicodeDecodeError:
        return INVALID_UTF8
    except ValueError:
        return BROKEN_ROW


def _write(record: Mapping[str, object]) -> bytes:
    try:
        return orjson.dumps(record)
    except TypeError:
        # A number of more than 64 bits: the kernel has rules for it.
        return _write_widely(record)


def _write_widely(record: Mapping[str, object]) -> bytes:
    return json.dumps(record).encode()
