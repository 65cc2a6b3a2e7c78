"""What a request may say: one user's features, derived from their declarations.

A value is taken where a snapshot could hold it: a number that isn't negative, whole where it
counts, any text as a category. Absent and null both mean unknown, as in training.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Annotated, Any, Final

import numpy as np
from numpy.typing import NDArray
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    create_model,
)
from pydantic_core import PydanticCustomError, from_json

from churn_spark.contracts.features.spec import FEATURES, Feature
from churn_spark.errors import RequestError

IDENTITY: Final = ("user_id", "as_of")
MAX_TEXT: Final = 200
# Beyond this two whole numbers are one in the float64 of the model's matrix.
MAX_WHOLE: Final = 2**53 - 1
MAX_PROBLEMS: Final = 100
_SHOWN_CHARS: Final = 80


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


def example(feature: Feature) -> float | str:
    """A value of an everyday user, for the interface's description."""
    if not feature.is_numeric:
        return {"gender": "F", "location": "CA", "os": "Windows", "browser": "Chrome"}.get(
            feature.name, "paid"
        )
    if feature.data_type == "long":
        return 12
    return 12.5 if feature.bounds[1] is None else 0.25


def _whole(value: float) -> float:
    # pydantic's `multiple_of` lets pass what is off by a billionth of the value.
    if not value.is_integer():
        raise PydanticCustomError("whole_number", "Input should be a whole number")
    return value


def _no_number(value: object) -> object:
    # pydantic takes a number for seconds since 1970.
    if isinstance(value, int | float):
        raise PydanticCustomError("date_text", "Input should be a date like 2018-11-30")
    return value


def _field(feature: Feature) -> Any:
    least, largest = feature.bounds
    value: Any = Annotated[str, Field(max_length=MAX_TEXT)]
    if feature.data_type == "long":
        # 4.0 is a whole number in JSON; a strict `int` would refuse it.
        bounds = Field(ge=least, le=MAX_WHOLE, json_schema_extra={"type": "integer"})
        value = Annotated[float, bounds, AfterValidator(_whole)]
    elif feature.is_numeric:
        value = Annotated[float, Field(ge=least, le=largest)]
    meaning = f"{feature.meaning} ({feature.unit or 'category'})"
    return Annotated[value | None, Field(description=meaning, examples=[example(feature)])], None


def build_model(features: Sequence[Feature]) -> type[BaseModel]:
    """The request's model of some features; user_id and as_of may stand beside them."""
    fields: dict[str, Any] = {feature.name: _field(feature) for feature in features}
    user_id: Any = Annotated[
        str | None, Field(max_length=MAX_TEXT, description="comes back as it is")
    ]
    as_of: Any = Annotated[
        date | None,
        Field(strict=False, description="date of the values; not used"),
        BeforeValidator(_no_number),
    ]
    return create_model(
        "UserFeatures",
        __base__=_Row,
        __doc__="One user's features, named as in gold/snapshots, gold/behaviour and gold/fading.",
        user_id=(user_id, None),
        as_of=(as_of, None),
        **fields,
    )


UserFeatures: Final = build_model(FEATURES)
MAX_NAMES: Final = len(FEATURES) + len(IDENTITY)
EXAMPLE: Final = {feature.name: example(feature) for feature in FEATURES}


def check_names(n_columns: int, *, is_each_once: bool = True) -> None:
    """Let pass only as many columns as there are names.

    Raises:
        RequestError: if there are more, or one is there twice.
    """
    if n_columns > MAX_NAMES or not is_each_once:
        raise RequestError(f"found {n_columns:,} columns, expected at most {MAX_NAMES}, each once")


def parse_user(body: bytes) -> Mapping[str, Any]:
    """The values of a JSON object, by name; unknown ones are None.

    Raises:
        RequestError: with every problem, or if no feature has a value.
    """
    values, problems = read_user(body)
    if problems:
        raise _refused(problems)
    return values


def read_user(body: bytes) -> tuple[Mapping[str, Any], Sequence[Mapping[str, object]]]:
    """The values of a JSON object, by name, and what is wrong with it; one of them is empty."""
    if n_names := _count_names(body):
        expected = f"expected at most {MAX_NAMES}, each once"
        return {}, [{"field": "", "problem": expected, "found": f"{n_names} names"}]
    try:
        values = UserFeatures.model_validate_json(body).__dict__
    except ValidationError as error:
        return {}, problems_of(error)
    return ({}, [NOTHING_KNOWN]) if nothing_known(values) else (values, [])


def _count_names(body: bytes) -> int:
    """How many names an object has, if there are more than there could be; else 0.

    Each unknown name would be a problem to tell of, at a hundred times its size.
    """
    if body.count(b":") <= MAX_NAMES:
        return 0
    try:
        found = from_json(body)
    except ValueError:
        return 0
    n_names = len(found) if isinstance(found, dict) else 0
    return n_names if n_names > MAX_NAMES else 0


NOTHING_KNOWN: Final = {
    "field": "",
    "problem": "no feature has a value, expected one at least",
    "found": "{}",
}


def nothing_known(values: Mapping[str, Any]) -> bool:
    """Whether a row says nothing of its user: a prediction from it would be about nobody."""
    return all(value is None for name, value in values.items() if name not in IDENTITY)


def problems_of(
    error: ValidationError, unknown: str = "no feature of this name"
) -> list[Mapping[str, object]]:
    """Each problem with its field, what was expected, and what was found; of extra fields, that."""
    problems: list[Mapping[str, object]] = []
    for one in error.errors(include_url=False, include_context=False)[:MAX_PROBLEMS]:
        is_unknown = one["type"] == "extra_forbidden"
        problems.append(
            {
                "field": cut(str(one["loc"][0])) if one["loc"] else "",
                "problem": unknown if is_unknown else one["msg"],
                "found": shown(one["input"]),
            }
        )
    return problems


def shown(value: object) -> str:
    """A found value as JSON, cut to a readable length."""
    # Of bytes no more than is shown: all of them may be a body.
    few = value[: 4 * _SHOWN_CHARS] if isinstance(value, bytes) else value
    return cut(few.decode("utf-8", "replace") if isinstance(few, bytes) else json.dumps(few))


def cut(text: str) -> str:
    """A text of readable length."""
    return text if len(text) <= _SHOWN_CHARS else text[:_SHOWN_CHARS] + "…"


def _refused(problems: Sequence[Mapping[str, object]]) -> RequestError:
    return RequestError(
        "the row doesn't fit: names, units and bounds are in /openapi.json", 422, problems
    )


def possible(values: NDArray[np.float64], feature: Feature) -> NDArray[np.bool_]:
    """Which numbers the model of the request would take; NaN is missing and taken.

    The same bounds for a whole column; a test holds both to one answer.
    """
    least, largest = feature.bounds
    is_possible: NDArray[np.bool_] = np.isnan(values) | np.isfinite(values)
    if least is not None:
        is_possible &= ~(values < least)
    if largest is not None:
        is_possible &= ~(values > largest)
    if feature.data_type == "long":
        is_possible &= np.isnan(values) | ((values <= MAX_WHOLE) & (values == np.floor(values)))
    return is_possible


def expectation(feature: Feature) -> str:
    """What a number of the feature must be, in words."""
    least, largest = feature.bounds
    kind = "a whole number" if feature.data_type == "long" else "a finite number"
    if largest is not None:
        return f"expected {kind} from {least:g} to {largest:g}"
    return f"expected {kind}" + ("" if least is None else " that isn't negative")
