"""One line of a log -> its record, or why it is none: exact, and slow."""

from __future__ import annotations

import orjson

from churn_spark.events.rules import (
    BROKEN_JSON,
    BYTE_ORDER_MARK,
    INVALID_UTF8,
    LINE_TOO_LONG,
    NUMBERS,
    TEXTS,
    WHITE_SPACE,
    WRONG_TYPE,
)
from churn_spark.events.values import number_of, parse_json, text_of

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
        found = parse_line(line)
    except UnicodeDecodeError:
        return INVALID_UTF8
    except ValueError:
        return BROKEN_JSON
    if not isinstance(found, dict):
        return BROKEN_JSON
    try:
        return (
            *(number_of(found.get(name)) for name in NUMBERS),
            *(text_of(name, found.get(name)) for name in TEXTS),
        )
    except TypeError:
        return WRONG_TYPE


def parse_line(line: bytes) -> object:
    """The JSON value of a line.

    Raises:
        UnicodeDecodeError: if it is no UTF-8.
        ValueError: if it isn't one value, as `parse_json` reads it, or is nested more than 1,024
            deep.
    """
    text = line.decode().strip(WHITE_SPACE + BYTE_ORDER_MARK)
    try:
        return parse_json(text)
    except RecursionError:
        # Depends on who calls; the depth where this gives up is fixed.
        return orjson.loads(text)
