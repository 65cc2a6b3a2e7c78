"""What every route may answer beside its own answer, as /openapi.json tells it."""

from __future__ import annotations

from typing import Any, Final

from fastapi import FastAPI

_OPEN: Final = ("/health", "/ready")
_TEXT: Final = {"schema": {"type": "string"}}
_PROBLEM: Final = {
    "type": "object",
    "properties": {name: {"type": "string"} for name in ("field", "problem", "found")},
}
_REFUSAL: Final = {
    "type": "object",
    "description": "why there is no other answer",
    "properties": {
        "detail": {"type": "string"},
        "problems": {"type": "array", "items": _PROBLEM},
    },
    "required": ["detail"],
}
_ANYWHERE: Final = {
    "500": "an unexpected error; it is in the log",
    "503": "not ready, or too many connections: come back",
}
_WITH_KEY: Final = {
    "401": "no valid key",
    "403": "the key lacks the scope",
    "413": "the body is too large",
    "429": "too many requests of this key: come back after `Retry-After`",
}
_ITS_OWN: Final = {
    "/users/{user_id}": {"404": "no such user in the newest scores"},
}


def describe_refusals(app: FastAPI) -> None:
    """Complete the description of a whole app: refusals, and answers that are no JSON."""
    describe = app.openapi

    def completed() -> dict[str, Any]:
        if not app.openapi_schema:
            found = describe()
            found["components"]["schemas"]["Refusal"] = _REFUSAL
            for path, operations in found["paths"].items():
                for operation in operations.values():
                    _complete(path, operation)
        assert app.openapi_schema is not None
        return app.openapi_schema

    app.openapi = completed  # type: ignore[method-assign]


def _complete(path: str, operation: dict[str, Any]) -> None:
    answers = operation["responses"]
    refusals = _ANYWHERE | _ITS_OWN.get(path, {})
    refusals |= {} if path in _OPEN else _WITH_KEY
    refusals |= {"422": answers["422"]["description"]} if "422" in answers else {}
    body = {"application/json": {"schema": {"$ref": "#/components/schemas/Refusal"}}}
    for status, why in refusals.items():
        answers[status] = {"description": why, "content": body}
    if path == "/ready":
        # What was found is told either way.
        answers["503"] = {**answers["200"], "description": "not ready; with what was found"}
    if path == "/list":
        answers["200"]["content"]["text/csv"] = _TEXT
    if path == "/metrics":
        answers["200"]["content"] = {"text/plain": _TEXT}
