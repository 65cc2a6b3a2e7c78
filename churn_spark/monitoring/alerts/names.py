"""Names in a sentence, however many there are."""

from __future__ import annotations

from collections.abc import Sequence


def name_some(names: Sequence[str], n_named: int) -> str:
    """The first names, and how many more there are: `songs_7d, os and 3 more`."""
    more = len(names) - n_named
    return ", ".join(names[:n_named]) + (f" and {more} more" if more > 0 else "")
