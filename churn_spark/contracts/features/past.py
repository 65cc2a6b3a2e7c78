"""What a formula may ask of a user's past, and what it may do with the answers.

The formulas are written over these two protocols. Columns answer for all users at once, those of
Polars (`features/local/past.py`) and of Spark (`features/past.py`), plain numbers for one
(`serving/events/past.py`). All count alike: what is computed from something unknown is unknown, as
null is in SQL. `asked.py` tells what is to be summed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol, Self, TypeVar


@dataclass(frozen=True, order=True)
class Trailing:
    """Days before a date D, `[D - first, D - last]`.

    Attributes:
        first: how many days before D it begins; 0: with the first day there is.
        last: how many days before D it ends, that day included; at least 1.
    """

    first: int = 0
    last: int = 1

    @classmethod
    def days(cls, n: int) -> Trailing:
        """The last `n` days; 0 for all."""
        return cls(n, 1)

    @classmethod
    def week(cls, number: int) -> Trailing:
        """Seven days; number 1 ends with the day before D."""
        return cls(7 * number, 7 * number - 6)


ALL_DAYS: Final = Trailing()


class Quantity(Protocol):
    """A number, a text or a truth about each user, possibly unknown."""

    def __add__(self, other: Self | float, /) -> Self:
        """Sum."""

    def __sub__(self, other: Self | float, /) -> Self:
        """Difference."""

    def __mul__(self, other: Self | float, /) -> Self:
        """Product."""

    def __truediv__(self, other: Self | float, /) -> Self:
        """Quotient, always of floating-point numbers."""

    def __gt__(self, other: Self | float, /) -> Self:
        """Whether it is greater."""


Q = TypeVar("Q", bound=Quantity)


class Past(Protocol[Q]):
    """What is known of a user before a date D."""

    def sum_in(self, source: str, days: Trailing, /) -> Q:
        """Sum of a column of the user's days; 0 where there is no such day."""

    def largest(self, source: str, /) -> Q:
        """Largest value that a column has on a day; unknown where all are 0."""

    def profile(self, column: str, /) -> Q:
        """Newest known value of a column of the profile."""

    def is_profile(self, column: str, value: str, /) -> Q:
        """Whether that is this value; false where it isn't known."""

    def millis_since(self, instant: str, /) -> Q:
        """Milliseconds from an instant to D: `last_ts`, `log_start`, `registered_ts`, ..."""

    def when(self, condition: Q, then: Q | float, otherwise: Q | float | None = None, /) -> Q:
        """The second where the condition is true, else the third."""

    def least(self, *values: Q | float) -> Q:
        """Least of the known ones."""

    def greatest(self, *values: Q | float) -> Q:
        """Greatest of the known ones."""

    def sqrt(self, value: Q, /) -> Q:
        """Square root."""

    def floor(self, value: Q, /) -> Q:
        """The whole number at or below it."""

    def once(self, value: Q, /) -> Q:
        """The same value, computed once however often the formula goes on to use it."""
