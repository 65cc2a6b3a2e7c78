"""What is in the columns of some rows: how often, of which kind, within which range."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from churn_spark.events.foreign.moments import reads_as_time
from churn_spark.events.foreign.numbers import number_of_text
from churn_spark.events.values import is_too_deep, number_of

_RANGES: Final = {"s": (1e8, 4.2e9), "ms": (1e11, 4.2e12), "us": (1e14, 4.2e15)}
"""Moments from 1973 to 2103, by their unit: they don't overlap."""
_DAY_FORMAT: Final = "%Y%m%d"
_FIRST_DAY, _LAST_DAY = 19_700_101, 21_031_231
"""Also ids and counters are such numbers, but among them are those of no day: 20181345."""


@dataclass(frozen=True)
class ColumnFacts:
    """What is in a column.

    Attributes:
        name: of it, with the names of what it is nested in.
        n_rows: that were looked at.
        values: each value that is neither null nor empty -> rows that have it.
    """

    name: str
    n_rows: int
    values: Counter[Any]

    @property
    def n_filled(self) -> int:
        """Rows with a value."""
        return self.values.total()

    @property
    def numbers(self) -> list[float]:
        """The values where all are numbers, or texts of numbers; else none."""
        found = [number_of_text(one) if isinstance(one, str) else one for one in self.values]
        is_all = all(isinstance(one, int | float) and not isinstance(one, bool) for one in found)
        numbers = map(number_of, found) if is_all else ()
        return [one for one in numbers if one is not None]

    @property
    def time(self) -> Mapping[str, str] | None:
        """How the values are read as moments: `unit`, and `format` if there is one."""
        if not self.values:
            return None
        if numbers := self.numbers:
            low, high = min(numbers), max(numbers)
            for unit, (first, last) in _RANGES.items():
                if first <= low and high <= last:
                    return {"unit": unit}
            return {"unit": "iso", "format": _DAY_FORMAT} if all(map(_is_day, numbers)) else None
        is_iso = all(isinstance(one, str) and reads_as_time(one) for one in self.values)
        return {"unit": "iso"} if is_iso else None

    def describe(self) -> str:
        """`1,000 of 1,000 rows, 97 values, numbers 1 to 99`."""
        told = f"{self.n_filled:,} of {self.n_rows:,} rows, {len(self.values):,} values"
        if self.time:
            return f"{told}, times ({', '.join(self.time.values())})"
        if numbers := self.numbers:
            return f"{told}, numbers {min(numbers):g} to {max(numbers):g}"
        kinds = sorted({type(one).__name__ for one in self.values})
        named = {"str": "texts", "bool": "true or false", "int": "numbers", "float": "numbers"}
        return ", ".join([told, *dict.fromkeys(named.get(kind, kind) for kind in kinds)])


def find_columns(records: Iterable[Mapping[str, Any]]) -> dict[str, ColumnFacts]:
    """Name of each column -> what is in it; nested ones by their path, too deep ones left out."""
    values: dict[str, Counter[Any]] = {}
    n_rows = 0
    for record in records:
        n_rows += 1
        shallow = {name: value for name, value in record.items() if not is_too_deep(value)}
        for name, value in _flat(shallow):
            counter = values.setdefault(name, Counter())
            if value is not None and value != "":
                counter[value] += 1
    return {name: ColumnFacts(name, n_rows, found) for name, found in values.items()}


def _is_day(number: float) -> bool:
    if not _FIRST_DAY <= number <= _LAST_DAY or not number.is_integer():
        return False
    try:
        date.fromisoformat(str(int(number)))
    except ValueError:
        return False
    return True


def _flat(record: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in record.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, str(value) if isinstance(value, list) else value
