"""Numbers that are written as texts, as in every cell of a CSV file."""

from __future__ import annotations

import re
from typing import Final

_WHOLE: Final = re.compile(r"[+-]?[0-9]{1,18}")
_FRACTION: Final = re.compile(r"[+-]?(?:[0-9]{1,18}\.[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")


def number_of_text(text: str) -> float | str | None:
    """The number that a text says; none where it is blank, the text where it says another thing."""
    bare = text.strip()
    if not bare:
        return None
    if _WHOLE.fullmatch(bare):
        return int(bare)
    return float(bare) if _FRACTION.fullmatch(bare) else text
