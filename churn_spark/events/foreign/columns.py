"""Which columns of a foreign log a mapping takes, and what for."""

from __future__ import annotations

from collections.abc import Mapping

from churn_spark.config.mapping import LogMapping


def columns_by_field(mapping: LogMapping) -> Mapping[str, tuple[str, ...]]:
    """Field of the mapping -> its columns; fields that have none are left out."""
    found: dict[str, tuple[str, ...]] = {}
    for name in type(mapping).model_fields:
        columns = getattr(getattr(mapping, name), "column", None)
        if columns:
            found[name] = columns
    if mapping.tell_apart:
        found["tell_apart"] = mapping.tell_apart
    return found | {f"also.{name}": columns for name, columns in mapping.also.items()}


def names_in(mapping: LogMapping) -> set[str]:
    """All columns that are taken."""
    return {name for columns in columns_by_field(mapping).values() for name in columns}
