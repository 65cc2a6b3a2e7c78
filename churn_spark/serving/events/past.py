"""A user's past in plain numbers: the answers that formulas work with, for one user."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from typing import Any

from churn_spark.contracts.features.past import Trailing
from churn_spark.serving.events.days import History
from churn_spark.timeline import day_start_millis

Value = float | str | None


class Plain:
    """A value that may be unknown; what is computed from something unknown is unknown too."""

    __slots__ = ("value",)

    def __init__(self, value: Value) -> None:
        self.value = value

    def __add__(self, other: Plain | float, /) -> Plain:
        """Sum."""
        return _combine(operator.add, self, other)

    def __sub__(self, other: Plain | float, /) -> Plain:
        """Difference."""
        return _combine(operator.sub, self, other)

    def __mul__(self, other: Plain | float, /) -> Plain:
        """Product."""
        return _combine(operator.mul, self, other)

    def __truediv__(self, other: Plain | float, /) -> Plain:
        """Quotient; unknown where it would be by 0."""
        return _combine(_divide, self, other)

    def __gt__(self, other: Plain | float, /) -> Plain:
        """Whether it is greater."""
        return _combine(operator.gt, self, other)


class PlainPast:
    """Answers formulas from one user's history."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._sums: dict[tuple[str, Trailing], Plain] = {}
        self._instants: Mapping[str, Value] = {
            **history.profile,
            **history.instants,
            "log_start": day_start_millis(history.log_start),
        }
        self._end = day_start_millis(history.as_of)

    def sum_in(self, source: str, days: Trailing, /) -> Plain:
        """Sum of a column of the user's days; 0 where there is no such day."""
        key = (source, days)
        if key not in self._sums:
            self._sums[key] = Plain(self._history.sum_in(source, days))
        return self._sums[key]

    def largest(self, source: str, /) -> Plain:
        """Largest value that a column has on a day; unknown where all are 0."""
        return Plain(int(self._history.columns[source].max(initial=0)) or None)

    def profile(self, column: str, /) -> Plain:
        """Newest known value of a column of the profile."""
        return Plain(self._history.profile[column])

    def is_profile(self, column: str, value: str, /) -> Plain:
        """Whether that is this value; false where it isn't known."""
        return Plain(self._history.profile[column] == value)

    def millis_since(self, instant: str, /) -> Plain:
        """Milliseconds from an instant to the date."""
        return Plain(self._end) - Plain(self._instants[instant])

    def when(
        self, condition: Plain, then: Plain | float, otherwise: Plain | float | None = None, /
    ) -> Plain:
        """The second where the condition is true, else the third."""
        return Plain(_value(then if condition.value else otherwise))

    def least(self, *values: Plain | float) -> Plain:
        """Least of the known ones."""
        return Plain(min(_known(values), default=None))

    def greatest(self, *values: Plain | float) -> Plain:
        """Greatest of the known ones."""
        return Plain(max(_known(values), default=None))

    def sqrt(self, value: Plain, /) -> Plain:
        """Square root."""
        return _change(math.sqrt, value)

    def floor(self, value: Plain, /) -> Plain:
        """The whole number at or below it."""
        return _change(math.floor, value)

    def once(self, value: Plain, /) -> Plain:
        """The same: a plain number is computed already."""
        return value


def _value(of: Plain | Value) -> Value:
    return of.value if isinstance(of, Plain) else of


def _known(values: tuple[Plain | float, ...]) -> list[Any]:
    return [found for found in map(_value, values) if found is not None]


def _combine(operation: Callable[[Any, Any], Any], left: Plain, right: Plain | float) -> Plain:
    one, other = left.value, _value(right)
    return Plain(None if one is None or other is None else operation(one, other))


def _change(operation: Callable[[Any], Any], of: Plain) -> Plain:
    return Plain(None if of.value is None else operation(of.value))


def _divide(above: float, below: float) -> float | None:
    return above / below if below else None
