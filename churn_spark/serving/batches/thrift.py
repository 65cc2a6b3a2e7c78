"""Structs in Thrift's compact protocol: how Parquet says what its pages hold.

https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
"""

from __future__ import annotations

from typing import Any, Final

_MAX_DEPTH: Final = 12
_TRUE, _FALSE, _BYTE, _I32, _I64, _DOUBLE, _BINARY = 1, 2, 3, 5, 6, 7, 8
_LIST, _SET, _STRUCT = 9, 10, 12
_LONG: Final = 15


class ThriftError(ValueError):
    """Bytes that are no struct in the compact protocol."""


class Struct(dict[int, Any]):
    """Number of a field -> its value; of a text its length alone.

    Another reader skips a number of another kind than it expects, so each is asked for by its kind.

    Attributes:
        kinds: number of a field -> the kind that the bytes say it is.
    """

    def __init__(self) -> None:
        """Without a field."""
        super().__init__()
        self.kinds: dict[int, int] = {}

    def i32(self, field: int, absent: int | None = None) -> int:
        """A number of 32 bits.

        Raises:
            ThriftError: if it is of another kind, or not there and nothing stands for that.
        """
        return self._of_kind(field, _I32, absent)

    def i64(self, field: int, absent: int | None = None) -> int:
        """A number of 64 bits.

        Raises:
            ThriftError: if it is of another kind, or not there and nothing stands for that.
        """
        return self._of_kind(field, _I64, absent)

    def _of_kind(self, field: int, kind: int, absent: int | None) -> int:
        found = self.get(field, absent)
        if found is None or self.kinds.get(field, kind) != kind:
            raise ThriftError(f"no number of the right kind in field {field}")
        return int(found)


class Reader:
    """Reads one struct after the other.

    Attributes:
        at: where the next one begins.
    """

    def __init__(self, data: memoryview, at: int = 0) -> None:
        """Begin somewhere in the data."""
        self._data, self.at = data, at

    def struct(self, depth: int = 0) -> Struct:
        """The next struct.

        Raises:
            ThriftError: if it is none, or has a field twice: another reader may take the other.
        """
        if depth > _MAX_DEPTH:
            raise ThriftError("structs within structs without end")
        found = Struct()
        number = 0
        while head := self._byte():
            kind, step = head & 15, head >> 4
            number = number + step if step else self._signed()
            if number in found:
                raise ThriftError(f"field {number} twice")
            found.kinds[number] = kind
            found[number] = kind == _TRUE if kind in (_TRUE, _FALSE) else self._value(kind, depth)
        return found

    def _value(self, kind: int, depth: int) -> Any:
        if kind in (_TRUE, _FALSE, _BYTE):
            return self._byte()
        if _BYTE < kind <= _I64:
            return self._signed()
        if kind == _DOUBLE:
            return self._skip(8)
        if kind == _BINARY:
            return self._skip(self._varint())
        if kind in (_LIST, _SET):
            return self._list(depth)
        if kind == _STRUCT:
            return self.struct(depth + 1)
        raise ThriftError(f"a value of kind {kind}")

    def _list(self, depth: int) -> list[Any]:
        head = self._byte()
        length, kind = head >> 4, head & 15
        if length == _LONG:
            length = self._varint()
        # Each of them has a byte at least.
        if length > len(self._data) - self.at:
            raise ThriftError("a list beyond its end")
        return [self._value(kind, depth + 1) for _ in range(length)]

    def _signed(self) -> int:
        value = self._varint()
        return (value >> 1) ^ -(value & 1)

    def _varint(self) -> int:
        value = shift = 0
        while True:
            byte = self._byte()
            value |= (byte & 127) << shift
            if byte < 128:
                return value
            shift += 7
            if shift > 63:
                raise ThriftError("a number without end")

    def _byte(self) -> int:
        if self.at >= len(self._data):
            raise ThriftError("the end in the middle of it")
        value = self._data[self.at]
        self.at += 1
        return value

    def _skip(self, n_bytes: int) -> int:
        if n_bytes > len(self._data) - self.at:
            raise ThriftError("a text beyond its end")
        self.at += n_bytes
        return n_bytes
