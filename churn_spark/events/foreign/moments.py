"""A foreign log's time -> milliseconds since the epoch."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from churn_spark.config.mapping import TimeColumn
from churn_spark.events.foreign.numbers import number_of_text

_PER_UNIT: Final = {"s": 1000.0, "ms": 1.0, "us": 0.001}
_KEPT: Final = 65_536
"""Texts that are remembered: logs repeat days, and neighbours share their second."""


def millis_reader(column: TimeColumn) -> Callable[[object], object]:
    """What makes milliseconds of a column's values.

    What it can't read it gives back as a text, which the kernel rejects as a wrong type: a number
    where texts are expected would be taken for a moment in another unit.
    """
    if column.unit == "iso":
        return _text_reader(column)
    factor = _PER_UNIT[column.unit]

    def read(value: object) -> object:
        found = number_of_text(value) if isinstance(value, str) else value
        if isinstance(found, bool) or not isinstance(found, int | float):
            return found
        if isinstance(found, int) and column.unit != "s":
            return found if column.unit == "ms" else found // 1000
        try:
            return round(found * factor)
        except (OverflowError, ValueError):
            # Infinity, or no number at all: the kernel has rules for both.
            return found

    return read


def reads_as_time(text: str) -> bool:
    """Whether a text is a time of ISO 8601, with its day at least."""
    try:
        datetime.fromisoformat(text.strip())
    except ValueError:
        return False
    return "-" in text


def _text_reader(column: TimeColumn) -> Callable[[object], object]:
    zone, pattern = ZoneInfo(column.zone), column.format

    def read_moment(text: str) -> datetime:
        if pattern is None:
            return datetime.fromisoformat(text)
        # Without a zone of its own it gets that of the column.
        return datetime.strptime(text, pattern)  # noqa: DTZ007

    @lru_cache(_KEPT)
    def read_text(text: str) -> int | str:
        try:
            moment = read_moment(text)
        except ValueError:
            return text
        aware = moment if moment.tzinfo else moment.replace(tzinfo=zone)
        try:
            return _millis(aware)
        except OverflowError:
            return text

    def read(value: object) -> object:
        if pattern and isinstance(value, int) and not isinstance(value, bool):
            # 20181130 is a number in JSON.
            value = str(value)
        if not isinstance(value, str):
            return None if value is None else str(value)
        text = value.strip()
        return read_text(text) if text else None

    return read


def _millis(moment: datetime) -> int:
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 1000 + since.microseconds // 1000
