"""What is in a rejected line, in words that hold none of its values.

Whoever looks for the cause sees which fields the line has and of what kind they are, or where it
stops being JSON. Only names of fields that the project knows are told: a key may be a name too.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Final

from churn_spark.events.line import parse_line
from churn_spark.events.rules import BROKEN_ROW, LINE_TOO_LONG, NUMBERS, TEXTS
from churn_spark.events.values import other_spellings

_FIELDS: Final = (*NUMBERS, *TEXTS)
_UTF16_MARKS: Final = (b"\xff\xfe", b"\xfe\xff")
_FRACTIONS: Final = {False: "fraction", True: "infinite number"}
_KINDS: Final = {str: "text", bool: "true or false", type(None): "null", list: "list"}


def describe_contents(line: bytes, reason: str) -> str:
    """`ts 13-digit number, page text; 2 other keys`; of what is no JSON, where it breaks off."""
    if reason == LINE_TOO_LONG:
        return _describe_names(line)
    if reason == BROKEN_ROW:
        return "another number of cells than of columns, or a quote that doesn't end on its line"
    if b"\0" in line or line.startswith(_UTF16_MARKS):
        return "bytes of zero, as in UTF-16 or where a file was cut off"
    try:
        found = parse_line(line)
    except ValueError as error:
        return f"{_describe_break(error)}; {_describe_names(line)}"
    if isinstance(found, dict):
        return _describe_record(found)
    if isinstance(found, str) and found.lstrip().startswith("{"):
        return "text with JSON in it: encoded twice"
    return f"{_kind_of(found)} in the place of an object"


def _describe_break(error: ValueError) -> str:
    if isinstance(error, UnicodeDecodeError):
        return f"no UTF-8 from byte {error.start} on"
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg.partition(':')[0]}, character {error.pos}"
    return "a number of too many digits"


def _describe_record(record: Mapping[str, object]) -> str:
    told = [f"{name} {_kind_of(record[name])}" for name in _FIELDS if name in record]
    others = other_spellings(record)
    told += [f"{key} for {name} {_kind_of(record[key])}" for name, key in others.items()]
    if n_others := len(record) - len(told):
        told.append(f"{n_others} other key{'s' if n_others > 1 else ''}")
    return ", ".join(told) or "no key"


def _describe_names(line: bytes) -> str:
    found = [name for name in _FIELDS if f'"{name}"'.encode() in line]
    return f"names in it: {', '.join(found)}" if found else "no known name in it"


def _kind_of(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return _KINDS.get(type(value), "object")
    sign = "negative " if value < 0 else ""
    if isinstance(value, float) and not value.is_integer():
        return "NaN" if math.isnan(value) else sign + _FRACTIONS[math.isinf(value)]
    return f"{sign}{len(str(abs(int(value))))}-digit number"
