"""Numbers that are written as texts, as in every cell of a CSV file."""

from __future__ import annotations

import re
from typing import Final

_WHOLE: Final = re.compile(r"[+-]?[0-9]{1,18}")
_FRACTION: Final = re.compile(r"[+-]?(?:[0-9]{1,18}\.[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")

_WHOLE_AS_FRACTION: Final = re.compile(r"(\s*-?(?:0|[1-9][0-9]{0,17}))\.0(\s*)")


def whole_of_cell(cell: str) -> str:
    """The cell, `7` for `7.0`: so pandas writes whole numbers of a column in which one is missing.

    It does so in some files of a log and not in others, and an id is the same in all of them.
    """
    found = _WHOLE_AS_FRACTION.fullmatch(cell) if ".0" in cell else None
    return found[1] + found[2] if found else cell


def number_of_text(text: str) -> float | str | None:
    """The number that a text says; none where it is blank, the text where it says another thing."""
    bare = text.strip()
    if not bare:
        return None
    if _WHOLE.fullmatch(bare):
        return int(bare)
    return float(bare) if _FRACTION.fullmatch(bare) else text
