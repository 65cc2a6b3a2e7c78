"""How the bodies and answers of the predictions are described in /openapi.json."""

from __future__ import annotations

from typing import Any, Final

from churn_spark.serving import batches, contract
from churn_spark.serving.refusals import WITH_KEY, Responses, refusal

JSON: Final = "application/json"


def user_schema() -> dict[str, Any]:
    """One user's features."""
    return {**contract.UserFeatures.model_json_schema(), "examples": [contract.EXAMPLE]}


def described_body(schemas: dict[str, Any]) -> dict[str, Any]:
    """A body that must be there, by its media type."""
    content = {kind: {"schema": schema} for kind, schema in schemas.items()}
    return {"requestBody": {"required": True, "content": content}}


def responses(properties: dict[str, Any]) -> Responses:
    """What is answered: an object, the problems of the body, or another refusal."""
    schema = {"type": "object", "properties": properties}
    return {
        200: {"description": "answered", "content": {JSON: {"schema": schema}}},
        422: refusal("the body doesn't fit; every problem is named"),
        **WITH_KEY,
    }


_ANSWER: Final = {
    "churn_probability": {"type": "number", "description": "of a cancellation in the window"},
    "risk_band": {"enum": ["high", "medium", "low"]},
    "reasons": {"type": "array", "items": {"type": "string"}},
}
_MODEL: Final = {
    "model_version": {"type": "string"},
    "feature_fingerprint": {"type": "string"},
}
PREDICTED: Final = responses({**_ANSWER, **_MODEL})
_PROBLEMS: Final = {"type": "array", "items": {"type": "object"}}
_ROW: Final = {"row": {"type": "integer"}, **_ANSWER, "problems": _PROBLEMS}
PREDICTED_MANY: Final = responses(
    {
        **_MODEL,
        "n_rows": {"type": "integer"},
        "n_failed": {"type": "integer"},
        "rows": {"type": "array", "items": {"type": "object", "properties": _ROW}},
    }
)
_BINARY: Final = {"type": "string", "format": "binary"}
BATCH: Final = {
    JSON: {
        "type": "object",
        "properties": {"rows": {"type": "array", "items": user_schema()}},
        "required": ["rows"],
    },
    batches.ARROW: _BINARY,
    batches.PARQUET: _BINARY,
}
_COUNTS: Final = {
    name: {"type": "integer"}
    for name in (
        "n_received",
        "n_used",
        "n_not_before_as_of",
        "n_out_of_place",
        "n_duplicates",
        "n_anonymous",
        "n_invalid",
    )
}
PREDICTED_EVENTS: Final = responses(
    {
        "user_id": {"type": "string"},
        "as_of": {"type": "string", "format": "date"},
        **_ANSWER,
        **_MODEL,
        "events": {
            "type": "object",
            "description": "what became of the records; the numbers add up to n_received",
            "properties": {**_COUNTS, "problems": _PROBLEMS},
        },
    }
)
