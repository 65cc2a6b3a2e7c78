"""Columns of Parquet that JSON has no form for -> texts and numbers: bytes, decimals, maps.

Without Polars: the service reads profiles by it, too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final
from uuid import UUID

import pyarrow as pa

_TEXT: Final = pa.string()
_LONGEST: Final = 18
"""Digits that any whole number of 64 bits can have."""


def plain_columns(rows: pa.Table) -> pa.Table:
    """The rows, with bytes as texts and decimals as numbers, in nested columns, too.

    Bytes are a text where they are UTF-8, as Hive and Impala write one, else their hexadecimal
    digits, as those of a UUID. A whole decimal that 64 bits may not hold is its digits: a double
    would make one id with its neighbours. Instants are in UTC: Polars knows zones by their names,
    and no offset such as +05:30.

    Raises:
        ArrowException: if a column is of a type that can't be read so.
    """
    for place, field in enumerate(rows.schema):
        kind = _of_leaves(field.type, _as_plain)
        if kind != field.type:
            column = _decode(rows[place], _of_leaves(field.type, _as_decoded))
            # By way of texts: Arrow's own from decimals to doubles errs in the last bit.
            column = column.cast(_of_leaves(field.type, _as_text)).cast(kind)
            rows = rows.set_column(place, field.with_type(kind), column)
    return rows


def _of_leaves(kind: Any, change: Callable[[Any], Any]) -> Any:
    """The type with others in the place of those that nothing is nested in; itself if all stay."""
    types = pa.types
    if isinstance(kind, pa.BaseExtensionType):
        found = _of_leaves(kind.storage_type, change)
    elif types.is_dictionary(kind):
        found = _of_leaves(kind.value_type, change)
        if found == kind.value_type:
            return kind
    elif types.is_struct(kind):
        fields = [kind.field(place) for place in range(kind.num_fields)]
        found = pa.struct([one.with_type(_of_leaves(one.type, change)) for one in fields])
    elif types.is_map(kind):
        found = pa.map_(_TEXT, _of_leaves(kind.item_type, change))
    elif types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        found = pa.list_(kind.value_field.with_type(_of_leaves(kind.value_type, change)))
    else:
        found = change(kind)
    return kind if found == kind else found


def _as_decoded(kind: Any) -> Any:
    types = pa.types
    are_bytes = (
        types.is_binary,
        types.is_large_binary,
        types.is_binary_view,
        types.is_fixed_size_binary,
    )
    if types.is_timestamp(kind) and kind.tz:
        return pa.timestamp(kind.unit, "UTC")
    return _TEXT if any(one(kind) for one in are_bytes) else kind


def _as_text(kind: Any) -> Any:
    return _TEXT if pa.types.is_decimal(kind) else _as_decoded(kind)


def _as_plain(kind: Any) -> Any:
    if not pa.types.is_decimal(kind):
        return _as_decoded(kind)
    if kind.scale:
        return pa.float64()
    return pa.int64() if kind.precision <= _LONGEST else _TEXT


def _decode(column: Any, kind: Any) -> Any:
    """The column with texts for bytes, and instants in UTC."""
    try:
        return column.cast(kind)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return pa.chunked_array([pa.array([_decoded(one) for one in column.to_pylist()], kind)])


def _decoded(value: Any) -> Any:
    if isinstance(value, UUID):
        value = value.bytes
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return value.hex()
    if isinstance(value, dict):
        return {name: _decoded(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(map(_decoded, value))
    return value
