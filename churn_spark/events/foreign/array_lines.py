"""Arrays of JSON objects -> the same bytes as lines, each object on its own.

No byte is moved: brackets and commas between objects become line feeds, line feeds within one
become blanks. So a place in the lines is the place in the file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

_TOKEN: Final = re.compile(rb'"(?:[^"\\]|\\.)*(?:"|\\?\Z)|[\[\]{},\r\n]', re.DOTALL)
_LINE_FEED, _BLANK = ord("\n"), ord(" ")
_LONGEST: Final = 64 << 20
"""Of one object, in bytes: what is longer is none, and must not fill the memory."""


def lines_of_arrays(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Whole lines of each chunk and what was left of those before.

    Objects that are in no array stay as they are, so lines of JSON are read as well.

    Args:
        chunks: of a file, in order.
    """
    rest, is_open = b"", False
    for chunk in chunks:
        lines, n_whole, is_open = _part(rest + chunk, is_open)
        if n_whole:
            yield lines[:n_whole]
        rest = (rest + chunk)[n_whole:]
        if len(rest) > _LONGEST:
            yield rest
            rest = b""
    if rest:
        yield _part(rest, is_open)[0]


def _part(data: bytes, is_open: bool) -> tuple[bytes, int, bool]:
    """The bytes as lines, how many of them are whole lines, and whether an array is open there."""
    lines = bytearray(data)
    depth, n_whole, is_open_there = 0, 0, is_open
    for token in _TOKEN.finditer(data):
        sign, at = data[token.start()], token.start()
        if sign in b"{[" and (depth or sign == ord("{") or is_open):
            depth += 1
        elif sign in b"}]" and depth:
            depth -= 1
        elif sign in b"\r\n" and depth:
            lines[at] = _BLANK
        elif sign in b"[],\r\n" and not depth:
            is_open = is_open or sign == ord("[") if sign != ord("]") else False
            lines[at] = _LINE_FEED
            n_whole, is_open_there = at + 1, is_open
    return bytes(lines), n_whole, is_open_there
