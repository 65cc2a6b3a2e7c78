"""Feature values in the words of people: `played 12 songs in 7 days (median: 30)`."""

from __future__ import annotations

import re

import pandas as pd

from churn_spark.contracts.features.spec import Feature

Value = float | str | None

_COMPARISON = re.compile(r" \((median|expected|most common): \{typical\}\)$")
# Only a whole 1 is one of something: 0.1 songs, 11 songs and 1,001 songs are many.
_ONE = re.compile(
    r"(?<![\d,.])1 (different )?(time|session|song|friend|day|hour|visit|page|advert|week)s\b"
)
_NUMBER = re.compile(r"-?\d[\d,.]*")
_MAX_DECIMALS = 3


def describe(feature: Feature, value: Value, typical: Value) -> str:
    """The value beside the typical one: `visited Downgrade 4 times (median: 0)`.

    Numbers get as many decimals as it takes to tell the two apart, so that no reason reads
    "80 songs (median: 80)".
    """
    if _is_missing(value):
        return f"{feature.meaning} (unknown)"
    value_text, typical_text = _apart(feature, value, typical)
    return _fill(feature.phrase, feature, value, value_text, typical_text)


def describe_change(feature: Feature, before: Value, after: Value) -> str:
    """One value instead of another: `played 12 songs in 7 days instead of 3`."""
    if _is_missing(after):
        return f"{feature.meaning} (unknown)"
    after_text, before_text = _apart(feature, after, before)
    phrase = _COMPARISON.sub("", feature.phrase)
    known = "(now unknown)" if _is_missing(before) else f"instead of {before_text}"
    return f"{_fill(phrase, feature, after, after_text, '')} {known}"


def describe_kind(feature: Feature, value: Value) -> str:
    """The value without its numbers: `visited … times in … days`, or `subscription is paid`."""
    if _is_missing(value):
        return f"{feature.meaning} (unknown)"
    # Taken out before the phrase is filled: 1 of something would lose its plural.
    value_text = _NUMBER.sub("…", _in_words(value, feature, 1))
    phrase = _COMPARISON.sub("", feature.phrase)
    return _NUMBER.sub("…", _fill(phrase, feature, value, value_text, ""))


def share_in_words(share: float, decimals: int = 1) -> str:
    """A share as percent, with decimals where they tell: `8 %`, `0.4 %`, `less than 0.1 %`."""
    return f"{_number(100 * share, decimals)} %"


def _fill(phrase: str, feature: Feature, value: Value, value_text: str, typical_text: str) -> str:
    """The phrase with its values; a fall is said to be one, and one of something has no plural."""
    if _is_signed(feature) and not isinstance(value, str) and float(value or 0) < 0:
        phrase = phrase.replace(" more ", " fewer ")
        value_text = value_text.removeprefix("-")
    text = phrase.format(value=value_text.removeprefix("+"), typical=typical_text)
    return _ONE.sub(r"1 \1\2", text)


def _apart(feature: Feature, value: Value, other: Value) -> tuple[str, str]:
    """Both values as text, with just enough decimals to tell them apart."""
    for decimals in range(1, _MAX_DECIMALS + 1):
        texts = _in_words(value, feature, decimals), _in_words(other, feature, decimals)
        if texts[0] != texts[1] or value == other:
            break
    return texts


def _in_words(value: Value, feature: Feature, decimals: int) -> str:
    if isinstance(value, str):
        return value
    if value is None or pd.isna(value):
        return "unknown"
    number = float(value)
    if feature.unit == "seconds":
        # The phrase doesn't name the unit: nobody thinks of listening in seconds.
        return f"{_number(number / 3600, decimals)} hours"
    if feature.unit in ("share", "probability"):
        return share_in_words(number, decimals)
    if feature.unit == "times":
        # "1.0 times the usual": a factor, not a count.
        return f"{number:,.{decimals}f}"
    if feature.unit == "visits" and decimals == 1 and number >= 2:
        # Nobody sees 3.8 adverts.
        number = float(round(number))
    if _is_signed(feature):
        text = "about 0" if 0 < abs(number) < 10.0**-decimals / 2 else _number(number, decimals)
        return f"+{text}" if number > 0 and text[0].isdigit() else text
    return _number(number, decimals)


def _number(number: float, decimals: int) -> str:
    """A number as people write it: no decimals from 10 on, and none that are zero.

    More than one decimal asks for them from 10 on too; something small is never nothing.
    """
    smallest = 10.0**-decimals
    if 0 < abs(number) < smallest / 2:
        return f"less than {smallest:.{decimals}f}" if number > 0 else "about 0"
    shown = decimals if abs(number) < 10 else decimals - 1
    text = f"{number + 0.0:,.{shown}f}"  # + 0.0: no minus before a zero
    return text.rstrip("0").rstrip(".") if "." in text else text


def _is_signed(feature: Feature) -> bool:
    """Whether the value is a change from week to week, which can be a fall."""
    return feature.unit.endswith("/week") and " more " in feature.phrase


def _is_missing(value: Value) -> bool:
    return not isinstance(value, str) and bool(pd.isna(value))
