"""Texts within Markdown: cells of a table, and kinds of values by their JSON schema."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


def table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table in Markdown."""
    names = list(header)
    lines = [f"| {' | '.join(names)} |", f"|{' --- |' * len(names)}"]
    lines += [f"| {' | '.join(as_cell(cell) for cell in row)} |" for row in rows]
    return "\n".join(lines) + "\n"


def as_cell(text: str) -> str:
    """A text that ends no cell and no row."""
    return " ".join(text.split()).replace("|", "\\|")


def kind_of(schema: Mapping[str, Any]) -> str:
    """What values a JSON schema takes, in words."""
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(kind_of(one) for one in schema["anyOf"]))
    if "enum" in schema or "const" in schema:
        return "one of " + ", ".join(
            f"`{one}`" for one in schema.get("enum", [schema.get("const")])
        )
    if schema.get("type") == "array":
        return f"list: {kind_of(schema.get('items', {}))}"
    bounds = [
        f"{words} {schema[name]:g}"
        for name, words in (
            ("minimum", "at least"),
            ("exclusiveMinimum", "above"),
            ("maximum", "at most"),
            ("exclusiveMaximum", "below"),
        )
        # What any whole number of JSON must keep to is no bound of this field.
        if abs(schema.get(name, _EXACT)) < _EXACT
    ]
    name = _NAMES.get(schema.get("format", ""), _NAMES.get(schema.get("type", ""), "any"))
    return ", ".join([name, *bounds])


_EXACT = 2**53 - 1
_NAMES = {
    "boolean": "true or false",
    "integer": "whole number",
    "number": "number",
    "string": "text",
    "date": "date",
    "object": "keys and values",
    "null": "null",
}
