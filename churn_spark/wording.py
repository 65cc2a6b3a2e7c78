"""Counts, lists and shares in a sentence, grammatical in the singular too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

_MINUTE: Final = 60
_HOUR: Final = 3600
_DAY: Final = 86_400


def count_of(n: int, noun: str, plural: str = "") -> str:
    """A number of things: `1 night`, `1,200 nights`.

    Args:
        n: how many.
        noun: one of them; of several words the last one is counted, `bad night`.
        plural: of the noun, where it isn't the noun with an s.
    """
    return f"{n:,} {noun if n == 1 else plural or f'{noun}s'}"


def name_some(
    names: Sequence[str], n_named: int, separator: str = ", ", last: str = " and "
) -> str:
    """The first names, and how many more there are: `songs_7d, os and 3 more`.

    Args:
        names: all of them.
        n_named: so many are named.
        separator: between two names.
        last: before the number of the others.
    """
    more = len(names) - n_named
    return separator.join(names[:n_named]) + (f"{last}{more:,} more" if more > 0 else "")


def percent(share: float, decimals: int = 0, gap: str = " ") -> str:
    """A share as percent, with a fixed number of decimals: `36 %`, `0.4 %`.

    Args:
        share: 0.36 for 36 %.
        decimals: of the percentage.
        gap: between number and sign; a page may want one where no line breaks.
    """
    return f"{100 * share:z.{decimals}f}{gap}%"


def per_100(share: float) -> str:
    """A share as a number of 100, with its sign where it is below 0: `1.7`, `−0.4`.

    Stored decisions have such texts, and are replayed to the byte: it stays as it is.
    """
    return f"{100 * share:.1f}".replace("-", "\u2212")


def duration(seconds: float) -> str:
    """A length of time, roughly: `40 s`, `12 minutes`, `1.5 hours`, `3.2 days`."""
    if seconds < 2 * _MINUTE:
        return f"{max(1, round(seconds))} s"
    if seconds < 2 * _HOUR:
        return f"{round(seconds / _MINUTE)} minutes"
    if seconds < 2 * _DAY:
        return f"{seconds / _HOUR:.1f} hours"
    return f"{seconds / _DAY:,.1f} days"
