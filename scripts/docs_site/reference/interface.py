"""The service's routes and their fields, off its OpenAPI document."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from scripts.docs_site import ROOT
from scripts.docs_site.reference.text import kind_of, table

_INTRODUCTION = """# The service's interface

Every route with its parameters, the fields of its body and of its answer. The running service
gives the same as OpenAPI under `/openapi.json`. What the routes are for, keys, limits and
examples: [the service](../service.md).
"""


def describe_interface() -> str:
    """The page of the interface."""
    text = (ROOT / "tests" / "frozen" / "openapi.json").read_text(encoding="utf-8")
    document = json.loads(text)
    parts = [_INTRODUCTION]
    for path, methods in document["paths"].items():
        for method, route in methods.items():
            parts += _describe_route(f"{method.upper()} {path}", route, document)
    return "\n".join(parts)


def _describe_route(name: str, route: Mapping[str, Any], root: Mapping[str, Any]) -> Iterator[str]:
    yield f"## `{name}`\n"
    yield f"{route.get('description') or route.get('summary', '')}\n"
    if route.get("parameters"):
        yield "**Parameters**\n"
        rows = ((p["name"], p["schema"], p.get("description", "")) for p in route["parameters"])
        yield _fields(rows)
    for kind, content in route.get("requestBody", {}).get("content", {}).items():
        yield from _describe_body(f"Body, `{kind}`", content.get("schema", {}), root)
    for code, answer in route["responses"].items():
        said = answer.get("description", "")
        for kind, content in (answer.get("content") or {}).items():
            if code == "200":
                title = f"Answer {code}, `{kind}`"
                yield from _describe_body(title, content.get("schema", {}), root)
                said = ""
        if said and code != "200":
            yield f"- **{code}**: {said}"
    yield ""


def _describe_body(title: str, schema: Mapping[str, Any], root: Mapping[str, Any]) -> Iterator[str]:
    found = _resolve(schema, root)
    yield f"**{title}**\n"
    items = _resolve(found.get("items", {}), root)
    fields = found.get("properties") or items.get("properties")
    if fields:
        rows = ((key, one, one.get("description", "")) for key, one in fields.items())
        yield _fields((key, _resolve(one, root), said) for key, one, said in rows)
    else:
        yield f"{found.get('description') or kind_of(found)}\n"


def _fields(rows: Any) -> str:
    return table(
        ("name", "takes", "meaning"),
        ((f"`{name}`", kind_of(schema), said or "") for name, schema, said in rows),
    )


def _resolve(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = schema
    if "$ref" in schema:
        found = root
        for part in schema["$ref"].removeprefix("#/").split("/"):
            found = found[part]
    return found
