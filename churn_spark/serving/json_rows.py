"""A JSON body cut into its rows, each as bytes: their number and sizes are known, nothing is read.

Two bytes of JSON can become sixty of Python's, so a body is never read as a whole.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from churn_spark.errors import RequestError

_DEPTH: Final = 8
_MAX_MEMBERS: Final = 20
_SPACE: Final = rb"[ \t\n\r]*+"
_TEXT: Final = rb'"(?:[^"\\]++|\\.)*+"'


def _nested(depth: int) -> bytes:
    """An array or object that holds others so deep, whatever it says."""
    inner = b"|" + _nested(depth - 1) if depth > 1 else b""
    return rb'[\[{](?:[^\[\]{}"]++|' + _TEXT + inner + rb")*+[\]}]"


# Possessive throughout: one pass, and nothing to be tried again.
_VALUE: Final = re.compile(
    rb'(?:[^\[\]{}",\s]++|' + _TEXT + b"|" + _nested(_DEPTH) + b")", re.DOTALL
)
_NAME: Final = re.compile(_SPACE + rb'"([A-Za-z_]{1,40})"' + _SPACE + b":", re.DOTALL)
_MARK: Final = {
    mark: re.compile(_SPACE + re.escape(mark)) for mark in (b"[", b"]", b"{", b"}", b",")
}
_BLANK: Final = re.compile(_SPACE)


@dataclass(frozen=True)
class Cut:
    """A body in parts.

    Attributes:
        rows: each as it was sent; None if there are none in an object.
        others: name -> value, as it was sent, of what stands beside the rows.
    """

    rows: Sequence[bytes] | None
    others: Mapping[str, bytes]


def cut_rows(
    body: bytes, name: str, max_rows: int, max_row_bytes: int, advice: str = "send several batches"
) -> Cut | None:
    """The rows of `{"NAME": [row, ...], ...}` or of `[row, ...]`; None if it is no such JSON.

    Args:
        body: of the request.
        name: of the rows.
        max_rows: that many are taken.
        max_row_bytes: that many bytes may each have, and each value beside the rows.
        advice: what to do about too many.

    Raises:
        RequestError: if there are more rows, or one is too long, too deep, or no JSON.
    """
    cutter = _Cutter(body, name, max_rows, max_row_bytes, advice)
    cut = None
    if cutter.skip(b"["):
        cut = Cut(cutter.read_rows(), {})
    elif cutter.skip(b"{"):
        cut = cutter.read_members()
    return cut if cutter.is_at_end() else None


class _Cutter:
    """Goes through a body once."""

    def __init__(
        self, body: bytes, name: str, max_rows: int, max_row_bytes: int, advice: str
    ) -> None:
        self._body, self._name, self._advice, self._at = body, name, advice, 0
        self._max_rows, self._max_row_bytes = max_rows, max_row_bytes

    def skip(self, mark: bytes) -> bool:
        """Go behind a mark and the space before it, if it comes next."""
        found = _MARK[mark].match(self._body, self._at)
        if found:
            self._at = found.end()
        return found is not None

    def is_at_end(self) -> bool:
        found = _BLANK.match(self._body, self._at)
        return found is not None and found.end() == len(self._body)

    def read_members(self) -> Cut | None:
        """The rows and what stands beside them, up to the end of the object that has begun."""
        rows: list[bytes] | None = None
        others: dict[str, bytes] = {}
        while found := _NAME.match(self._body, self._at):
            self._at = found.end()
            name = found[1].decode("ascii")
            if name in others or (name == self._name and rows is not None):
                raise RequestError(f"found {name!r} twice, expected it once")
            if name == self._name and self.skip(b"["):
                rows = self.read_rows()
            else:
                others[name] = self._value(repr(name))
            if len(others) > _MAX_MEMBERS or not self.skip(b","):
                break
        return Cut(rows, others) if self.skip(b"}") else None

    def read_rows(self) -> list[bytes]:
        """The values up to the end of the array that has begun."""
        rows: list[bytes] = []
        if self.skip(b"]"):
            return rows
        while True:
            if len(rows) == self._max_rows:
                raise RequestError(
                    f"found more than {self._max_rows:,} {self._name}, expected that many at "
                    f"most: {self._advice}",
                    413,
                )
            rows.append(self._value(f"{len(rows)} of {self._name}"))
            if self.skip(b"]"):
                return rows
            if not self.skip(b","):
                last = f"{len(rows) - 1} of {self._name}"
                raise _unreadable(f"the body is no JSON: found no `,` or `]` after {last}")

    def _value(self, what: str) -> bytes:
        blank = _BLANK.match(self._body, self._at)
        start = blank.end() if blank else self._at
        found = _VALUE.match(self._body, start, start + self._max_row_bytes + 1)
        if found is None or found.end() - start > self._max_row_bytes:
            raise _unreadable(
                f"the body can't be read: {what} (counted from 0) is no JSON, has more than "
                f"{self._max_row_bytes:,} bytes, or more than {_DEPTH} levels"
            )
        self._at = found.end()
        return found[0]


def _unreadable(text: str) -> RequestError:
    return RequestError(text, 422, [{"field": "", "problem": text, "found": ""}])
