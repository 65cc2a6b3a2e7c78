"""What formulas ask of a user's past: so that it is summed, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Self

from churn_spark.contracts.features.formulas import Formula
from churn_spark.contracts.features.past import Trailing


def sum_column(source: str, days: Trailing) -> str:
    """Name of the column with the sum of a source in a window."""
    return f"{source}__{days.first}_{days.last}"


class _Anything:
    """A quantity that only stands for one: what is computed from it is again one."""

    def __add__(self, other: Self | float, /) -> Self:
        """A quantity."""
        return self

    def __sub__(self, other: Self | float, /) -> Self:
        """A quantity."""
        return self

    def __mul__(self, other: Self | float, /) -> Self:
        """A quantity."""
        return self

    def __truediv__(self, other: Self | float, /) -> Self:
        """A quantity."""
        return self

    def __gt__(self, other: Self | float, /) -> Self:
        """A quantity."""
        return self


_ANYTHING = _Anything()


@dataclass(frozen=True)
class Asked:
    """Answers formulas with no number at all, and remembers what they asked for.

    Attributes:
        sums: source and window of the sums.
        maxima: columns whose largest value was asked for.
        instants: since which time was measured.
    """

    sums: set[tuple[str, Trailing]] = field(default_factory=set)
    maxima: set[str] = field(default_factory=set)
    instants: set[str] = field(default_factory=set)

    @classmethod
    def by(cls, formulas: Iterable[Formula]) -> Asked:
        """What some formulas ask for."""
        asked = cls()
        for formula in formulas:
            formula.value(asked)
        return asked

    @property
    def longest_days(self) -> int:
        """The most days before a date that a window begins which isn't over all days."""
        return max((days.first for _, days in self.sums), default=0)

    def sum_in(self, source: str, days: Trailing, /) -> _Anything:
        """Sum of a column of the user's days."""
        self.sums.add((source, days))
        return _ANYTHING

    def largest(self, source: str, /) -> _Anything:
        """Largest value that a column has on a day."""
        self.maxima.add(source)
        return _ANYTHING

    def profile(self, _column: str, /) -> _Anything:
        """Newest known value of a column of the profile."""
        return _ANYTHING

    def is_profile(self, _column: str, _value: str, /) -> _Anything:
        """Whether that is this value."""
        return _ANYTHING

    def millis_since(self, instant: str, /) -> _Anything:
        """Milliseconds from an instant to the date."""
        self.instants.add(instant)
        return _ANYTHING

    def when(
        self,
        _condition: _Anything,
        _then: _Anything | float,
        _otherwise: _Anything | float | None = None,
        /,
    ) -> _Anything:
        """One of two."""
        return _ANYTHING

    def least(self, *_values: _Anything | float) -> _Anything:
        """One of them."""
        return _ANYTHING

    def greatest(self, *_values: _Anything | float) -> _Anything:
        """One of them."""
        return _ANYTHING

    def sqrt(self, _value: _Anything, /) -> _Anything:
        """Square root."""
        return _ANYTHING

    def floor(self, _value: _Anything, /) -> _Anything:
        """The whole number at or below it."""
        return _ANYTHING

    def once(self, _value: _Anything, /) -> _Anything:
        """The same."""
        return _ANYTHING
