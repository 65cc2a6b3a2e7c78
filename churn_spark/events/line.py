"""One line of a log -> its record, or why it is none: exact, and slow."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson

from churn_spark.events.rules import (
    BROKEN_JSON,
    BYTE_ORDER_MARK,
    INVALID_UTF8,
    LINE_TOO_LONG,
    MAX_DIGITS,
    NEEDED,
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
        ValueError: if it isn't one value; `parse_json` says more.
    """
    return parse_json(line.decode().strip(WHITE_SPACE + BYTE_ORDER_MARK))


def parse_json(text: str) -> Any:
    """The value of a JSON text, in which `NaN` and `Infinity` may stand for numbers.

    Of a key that is in an object twice the first counts.

    Raises:
        ValueError: if it isn't one value, is nested more than 1,024 deep, or has a number of
            more than `MAX_DIGITS` digits.
    """
    try:
        return _DECODER.decode(text)
    except RecursionError:
        # Depends on who calls; the depth where this gives up is fixed.
        return orjson.loads(text)


def other_spellings(record: Mapping[str, object]) -> Mapping[str, str]:
    """Needed fields without a value -> the key under which the record seems to have it.

    `userid`, `USERID`, `user_id` and `User ID` are other spellings of `userId`.
    """
    missing = {_bare(name): name for name in NEEDED if record.get(name) is None}
    return {
        missing[_bare(key)]: key
        for key, value in record.items()
        if value not in (None, "") and _bare(key) in missing
    }


def _bare(key: str) -> str:
    return "".join(filter(str.isalnum, key)).lower()


def _first_of_each(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """An object's values; of a key that is there twice the first, as where blocks are parsed."""
    found: dict[str, Any] = {}
    for key, value in pairs:
        found.setdefault(key, value)
    return found


def _bounded(digits: str) -> str:
    if len(digits) > MAX_DIGITS:
        raise ValueError(f"a number of more than {MAX_DIGITS:,} digits")
    return digits


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_first_of_each,
    parse_int=lambda digits: int(_bounded(digits)),
    parse_float=lambda digits: float(_bounded(digits)),
)
