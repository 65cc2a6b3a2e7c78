"""One line of a log -> its record, or why it is none: exact, and slow."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

import orjson

from churn_spark.events.rules import (
    BROKEN_JSON,
    INVALID_UTF8,
    LINE_TOO_LONG,
    NUMBERS,
    TEXTS,
    WHITE_SPACE,
    WRONG_TYPE,
)
from churn_spark.events.values import number_of, text_of

Record = tuple[float | str | None, ...]
"""The fields `NUMBERS`, then `TEXTS`."""


def read_line(line: bytes, max_line_bytes: int) -> Record | str:
    """The record of a line that isn't blank, or the reason why it is none.

    Args:
        line: without its line end.
        max_line_bytes: longer lines aren't parsed.
    """
    if len(line) > max_line_bytes:
        return LINE_TOO_LONG
    try:
        text = line.decode()
    except UnicodeDecodeError:
        return INVALID_UTF8
    try:
        record = _parse_object(text.strip(WHITE_SPACE))
    except ValueError:
        return BROKEN_JSON
    if not isinstance(record, dict):
        return BROKEN_JSON
    try:
        return (
            *(number_of(record.get(name)) for name in NUMBERS),
            *(text_of(name, record.get(name)) for name in TEXTS),
        )
    except TypeError:
        return WRONG_TYPE


def _parse_object(text: str) -> object:
    """The value of a JSON text, in which `NaN` and `Infinity` may stand for numbers.

    Raises:
        ValueError: if it isn't one value, or is nested more than 1,024 deep.
    """
    try:
        return _DECODER.decode(text)
    except RecursionError:
        # Depends on who calls; the depth where this gives up is fixed.
        return orjson.loads(text)


def _first_of_each(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """An object's values; of a key that is there twice the first, as where blocks are parsed."""
    found: dict[str, Any] = {}
    for key, value in pairs:
        found.setdefault(key, value)
    return found


_DECODER: Final = json.JSONDecoder(object_pairs_hook=_first_of_each)
