"""Tables of a FlatBuffer, read where they lie: what Arrow says of a message before its values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from struct import unpack_from
from typing import Any


@dataclass(frozen=True)
class Table:
    """One table.

    Reading beyond the data raises `struct.error`.

    Attributes:
        data: of the whole message.
        at: where the table begins.
    """

    data: memoryview
    at: int

    @classmethod
    def root(cls, data: memoryview) -> Table:
        """The outermost table."""
        return cls(data, *unpack_from("<I", data))

    def number(self, slot: int, kind: str) -> int:
        """A number of the table, 0 where it is left out; `kind` as in `struct`."""
        at = self._find(slot)
        return int(unpack_from("<" + kind, self.data, at)[0]) if at else 0

    def table(self, slot: int) -> Table | None:
        """A table that this one points to."""
        at = self._find(slot)
        return Table(self.data, self._follow(at)) if at else None

    def text_bytes(self, slot: int) -> int:
        """The length of a text."""
        at = self._find(slot)
        return int(unpack_from("<I", self.data, self._follow(at))[0]) if at else 0

    def count(self, slot: int) -> int:
        """The length of a vector."""
        return self.text_bytes(slot)

    def tables(self, slot: int) -> Iterator[Table]:
        """The tables of a vector."""
        at = self._find(slot)
        start = self._follow(at) if at else 0
        for position in range(self.count(slot)):
            yield Table(self.data, self._follow(start + 4 + 4 * position))

    def structs(self, slot: int, kind: str, size: int) -> Iterator[tuple[Any, ...]]:
        """The structs of a vector, each of so many bytes."""
        at = self._find(slot)
        start = self._follow(at) if at else 0
        for position in range(self.count(slot)):
            yield unpack_from("<" + kind, self.data, start + 4 + size * position)

    def _find(self, slot: int) -> int:
        """Where a field is; 0 where it is left out."""
        vtable = self.at - unpack_from("<i", self.data, self.at)[0]
        size = unpack_from("<H", self.data, vtable)[0]
        place = 4 + 2 * slot
        offset = unpack_from("<H", self.data, vtable + place)[0] if place < size else 0
        return self.at + int(offset) if offset else 0

    def _follow(self, at: int) -> int:
        return at + int(unpack_from("<I", self.data, at)[0])
