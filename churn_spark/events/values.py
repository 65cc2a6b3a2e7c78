"""A value of a JSON record -> the number or text that a field holds; raw texts -> profile."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final

from churn_spark.events.rules import (
    MAX_DEPTH,
    MAX_DIGITS,
    NEEDED,
    OTHER,
    STRICT_TEXTS,
    WHITE_SPACE,
)

# Exporters write what JSON has no number for as text.
_NUMBERS_AS_TEXT: Final[Mapping[str, float]] = {
    "NaN": math.nan,
    **dict.fromkeys(("+INF", "+Infinity", "Infinity"), math.inf),
    **dict.fromkeys(("-INF", "-Infinity"), -math.inf),
}
_NESTED: Final = (dict, list)


def parse_json(text: str) -> Any:
    """The value of a JSON text, in which `NaN` and `Infinity` may stand for numbers.

    Of a key that is in an object twice the first counts.

    Raises:
        ValueError: if it isn't one value, or has a number of more than `MAX_DIGITS` digits.
        RecursionError: if it is nested too deep for who calls.
    """
    return _DECODER.decode(text)


def other_spellings(record: Mapping[str, object]) -> Mapping[str, str]:
    """Needed fields without a value -> the key under which the record seems to have it.

    `userid`, `USERID`, `user_id` and `User ID` are other spellings of `userId`.
    """
    missing = {bare(name): name for name in NEEDED if record.get(name) is None}
    return {
        missing[bare(key)]: key
        for key, value in record.items()
        if value not in (None, "") and bare(key) in missing
    }


def number_of(value: object) -> float | None:
    """A field of `NUMBERS`: a double, which holds every millisecond; NaN is missing.

    Raises:
        TypeError: if it is of another type.
    """
    if value is None:
        return None
    if isinstance(value, str):
        if value not in _NUMBERS_AS_TEXT:
            raise TypeError
        value = _NUMBERS_AS_TEXT[value]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError
    try:
        number = float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf
    return None if math.isnan(number) else number


def text_of(name: str, value: object) -> str | None:
    """A field of `TEXTS`; a number is its digits, 7 and 7.0 the same user.

    Half a surrogate pair becomes a question mark: UTF-8 can't hold it.

    Raises:
        TypeError: if it is of a type that can't be told from text any more, or nested too deep.
    """
    if value is None:
        return None
    if isinstance(value, str):
        return _encodable(value)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    # A bare NaN is a word, which is taken for text, in quotes.
    is_word = isinstance(value, float) and not math.isfinite(value)
    if name in STRICT_TEXTS and (not is_number or (name == "page" and not is_word)):
        raise TypeError
    if is_too_deep(value):
        raise TypeError
    if isinstance(value, float) and not is_word:
        return _digits_of(value)
    text = _encodable(json.dumps(value, ensure_ascii=False, separators=(",", ":")))
    return f'"{text}"' if is_word else text


def is_too_deep(value: object) -> bool:
    """Whether lists and objects lie within each other more than `MAX_DEPTH` deep.

    Writing such a value would need more of the stack than whoever calls may have left.
    """
    level = [value] if isinstance(value, _NESTED) else []
    for _ in range(MAX_DEPTH):
        if not level:
            return False
        inner = (one.values() if isinstance(one, dict) else one for one in level)
        level = [one for many in inner for one in many if isinstance(one, _NESTED)]
    return bool(level)


def word_of(value: object) -> object:
    """A text without white space around it; a number is its digits, as an id or a code may be one.

    What is neither stays as it is.
    """
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    text = text_of("userId", value) if is_number else value
    return text.strip(WHITE_SPACE) if isinstance(text, str) else text


def state_of(location: str | None) -> str | None:
    """`New York-Newark-Jersey City, NY-NJ-PA` -> `NY`; None where nothing is left.

    What has a digit is no state: a street, a postcode or a coordinate.
    """
    states = (location or "").rpartition(",")[2].strip(WHITE_SPACE)
    state = states.partition("-")[0].strip(WHITE_SPACE)
    return None if any(map(str.isdigit, state)) else state or None


def family_of(agent: str | None, rules: Sequence[tuple[str, str]]) -> str | None:
    """What a user agent says of itself, by the first rule that fits.

    The strings are long, nearly unique and personal; the families are all that features use.

    Returns:
        None where there is no user agent, `other` where no rule fits.
    """
    if not (agent or "").strip(" "):
        return None
    return next((name for mark, name in rules if mark in str(agent)), OTHER)


def _digits_of(number: float) -> str:
    """The shortest digits that mean the number, without exponent: 10000042, not 1.0000042E7."""
    digits = format(Decimal(repr(number)), "f")
    return digits.rstrip("0").rstrip(".") if "." in digits else digits


def _encodable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


@lru_cache(maxsize=1024)
def bare(key: str) -> str:
    """Letters and digits alone, small."""
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
