"""Predictions by the Open Inference Protocol, version 2: as KServe, Triton and MLServer speak it.

Source: https://kserve.github.io/website/docs/concepts/architecture/data-plane/v2-protocol
One input is one feature, a column of all rows; the extension for binary tensors isn't spoken.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from churn_spark import __version__
from churn_spark.contracts.features.spec import FEATURES
from churn_spark.errors import RequestError
from churn_spark.serving import contract
from churn_spark.serving.batches import BatchLimits, answer_batch
from churn_spark.serving.predictor import Predictor
from churn_spark.serving.protocols.columns import batch_of_values, read_values, refuse_unfit_rows

MODEL: Final = "churn"
SERVER: Final = {"name": "churn_spark", "version": __version__, "extensions": []}
_OUTPUTS: Final = {"churn_probability": "FP64", "risk_band": "BYTES", "reasons": "BYTES"}
_ALWAYS: Final = ("churn_probability", "risk_band")
_NUMBERS: Final = [f"{kind}{bits}" for kind in ("INT", "UINT") for bits in (8, 16, 32, 64)]
_DATATYPES: Final = frozenset({"BOOL", *_NUMBERS, "FP16", "FP32", "FP64", "BYTES"})


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    name: str
    parameters: dict[str, Any] = {}


class Output(_Part):
    """One that is asked for by its name."""


class Input(_Part):
    """One feature of all rows; `user_id` may be one too, and isn't used."""

    shape: list[int] = Field(description="[rows], or [rows, 1]")
    datatype: str = Field(description="numbers: INT8 to UINT64, FP16 to FP64; texts: BYTES")
    data: list[Any] = Field(description="a value of each row; null where it is missing")


class InferenceRequest(BaseModel):
    """Some rows to predict for."""

    model_config = ConfigDict(extra="forbid", strict=True)

    id: str | None = Field(None, max_length=contract.MAX_TEXT, description="comes back as it is")
    inputs: list[Input] = Field(min_length=1, max_length=contract.MAX_NAMES)
    outputs: list[Output] = Field(
        [],
        max_length=len(_OUTPUTS),
        description=f"of {', '.join(_OUTPUTS)}, each once; else the first two",
    )
    parameters: dict[str, Any] = {}


def describe_request() -> dict[str, Any]:
    """The schema of a request, each part of it in its place."""
    schema = InferenceRequest.model_json_schema()
    parts = schema.pop("$defs")
    for name, part in (("inputs", "Input"), ("outputs", "Output")):
        schema["properties"][name]["items"] = parts[part]
    return schema


def check_model(name: str, version: str | None, predictor: Predictor) -> None:
    """Refuse a model that isn't here.

    Raises:
        RequestError: with status 404.
    """
    if name != MODEL:
        text = f"found the model {contract.cut(name)!r}, expected {MODEL!r}, the only one here"
        raise RequestError(text, 404)
    if version not in (None, predictor.bundle.version):
        text = f"found version {contract.cut(version or '')!r}, expected {predictor.bundle.version}"
        raise RequestError(f"{text}, the only one that answers", 404)


def describe_metadata(predictor: Predictor) -> dict[str, Any]:
    """What the model takes and gives, by name, datatype and shape; -1 is the number of rows."""
    inputs = [(feature.name, "FP64" if feature.is_numeric else "BYTES") for feature in FEATURES]

    def tensors(named: Sequence[tuple[str, str]]) -> list[dict[str, Any]]:
        return [{"name": name, "datatype": kind, "shape": [-1]} for name, kind in named]

    return {
        "name": MODEL,
        "versions": [predictor.bundle.version],
        "platform": "lightgbm",
        "inputs": tensors(inputs),
        "outputs": tensors(list(_OUTPUTS.items())),
    }


def infer(body: bytes, predictor: Predictor, limits: BatchLimits) -> tuple[bytes, int]:
    """The answer to a request, and its number of rows.

    Raises:
        RequestError: if it doesn't fit; every problem is named, of rows those of the first.
    """
    request = _parse(body, limits)
    outputs = [output.name for output in request.outputs] or list(_ALWAYS)
    batch = batch_of_values({one.name: _flat(one) for one in request.inputs}, limits)
    refuse_unfit_rows(batch)
    answers = answer_batch(batch, predictor, explain="reasons" in outputs).columns
    tensors = [
        {"name": name, "datatype": _OUTPUTS[name], "shape": [len(batch.rows)], "data": data}
        for name in outputs
        for data in [_texts(answers[name]) if name == "reasons" else answers[name]]
    ]
    answer: dict[str, Any] = {
        "model_name": MODEL,
        "model_version": predictor.bundle.version,
        "parameters": {"feature_fingerprint": predictor.bundle.encoding.fingerprint},
        "outputs": tensors,
    }
    if request.id is not None:
        answer["id"] = request.id
    return json.dumps(answer).encode(), len(batch.rows)


def _parse(body: bytes, limits: BatchLimits) -> InferenceRequest:
    values = read_values(body, limits)
    try:
        request = InferenceRequest.model_validate(values)
    except ValidationError as error:
        problems = contract.problems_of(error, unknown="no such field in the protocol")
        raise RequestError("the request doesn't fit the protocol", 422, problems) from None
    problems = [
        {"field": f"outputs: {contract.cut(one.name)}", "problem": expected, "found": "no such one"}
        for expected in [f"expected {', '.join(_OUTPUTS)}"]
        for one in request.outputs
        if one.name not in _OUTPUTS
    ]
    problems += [problem for one in request.inputs for problem in _problems_of(one)]
    problems += _repeated("input", "", request.inputs)
    problems += _repeated("output", "outputs: ", request.outputs)
    if problems:
        problems = problems[: contract.MAX_PROBLEMS]
        raise RequestError("the inputs or outputs don't fit", 422, problems)
    return request


def _repeated(kind: str, place: str, parts: Sequence[_Part]) -> list[dict[str, str]]:
    names = [one.name for one in parts]
    expected = f"expected one {kind} of each name"
    return [
        {"field": place + contract.cut(name), "problem": expected, "found": "several"}
        for name in sorted({name for name in names if names.count(name) > 1})
    ]


def _problems_of(one: Input) -> list[dict[str, str]]:
    problems = []
    if one.datatype not in _DATATYPES:
        problems.append((f"expected a datatype of {', '.join(sorted(_DATATYPES))}", one.datatype))
    if one.shape not in ([len(one.data)], [len(one.data), 1]):
        n = len(one.data)
        expected = f"expected the shape [{n}] or [{n}, 1], of the {n:,} values of its data"
        problems.append((expected, str(one.shape)))
    field = contract.cut(one.name)
    return [
        {"field": field, "problem": text, "found": contract.cut(found)} for text, found in problems
    ]


def _flat(one: Input) -> list[Any]:
    """The values of [rows, 1] may stand in a list of one each, or in a row of all."""
    if len(one.shape) == 1:
        return one.data
    return [v[0] if isinstance(v, list) and len(v) == 1 else v for v in one.data]


def _texts(reasons: Sequence[Sequence[str] | None]) -> list[str]:
    """The sentences of each row as one text of JSON: an element of a tensor is one value."""
    return [json.dumps(list(sentences or ())) for sentences in reasons]
