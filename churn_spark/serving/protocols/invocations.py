"""Predictions by the protocol of MLflow's scoring server, which SageMaker and others speak too.

Source: https://mlflow.org/docs/latest/ml/deployment/deploy-model-locally (`/invocations`).
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from churn_spark.contracts.features.spec import FEATURES
from churn_spark.errors import RequestError
from churn_spark.serving import contract
from churn_spark.serving.batches import Batch, BatchLimits, answer_batch
from churn_spark.serving.predictor import Predictor
from churn_spark.serving.protocols.columns import (
    batch_of_values,
    check_number,
    read_values,
    refuse_unfit_rows,
)

CSV: Final = "text/csv"
_FORMS: Final = ("dataframe_split", "dataframe_records", "instances", "inputs")
_NUMBERS: Final = frozenset(feature.name for feature in FEATURES if feature.is_numeric)


def invoke(body: bytes, kind: str, predictor: Predictor, limits: BatchLimits) -> tuple[bytes, int]:
    """The answer to a request, `{"predictions": [...]}`, and its number of rows.

    Args:
        body: JSON in one of MLflow's four forms, or CSV with a head.
        kind: the media type of the body; what isn't called CSV is read as JSON.
        predictor: that answers.
        limits: of the batch.

    Raises:
        RequestError: if it doesn't fit; every problem is named, of rows those of the first.
    """
    explain = False
    if kind == CSV:
        columns = _read_csv(body, limits)
    else:
        columns, explain = _read_json(body, limits)
    batch: Batch = batch_of_values(columns, limits)
    refuse_unfit_rows(batch)
    answers = answer_batch(batch, predictor, explain=explain).columns
    names = ["churn_probability", "risk_band", *(["reasons"] if explain else [])]
    rows = zip(*(answers[name] for name in names), strict=True)
    # Row by row: in one call nothing else would be answered meanwhile.
    text = ", ".join(json.dumps(dict(zip(names, row, strict=True))) for row in rows)
    return f'{{"predictions": [{text}]}}'.encode(), len(batch.rows)


def _read_json(body: bytes, limits: BatchLimits) -> tuple[Mapping[str, Sequence[Any]], bool]:
    """The columns, and whether reasons are asked for: `{"params": {"explain": true}}`."""
    request = read_values(body, limits)
    given = [form for form in _FORMS if isinstance(request, dict) and form in request]
    if len(given) != 1 or set(request) - {*given, "params"}:
        found = ", ".join(map(contract.cut, request)) if isinstance(request, dict) else "no object"
        expected = f"one of {', '.join(_FORMS)}, and `params` beside it"
        raise RequestError(f"found {contract.cut(found)}, expected a JSON object with {expected}")
    params = request.get("params") or {}
    if not isinstance(params, dict) or set(params) - {"explain"}:
        text = f'found the params {contract.shown(params)}, expected {{"explain": true}} or none'
        raise RequestError(text)
    explain = params.get("explain") is True
    rows = request[given[0]]
    if given[0] == "dataframe_split":
        return _columns_of_split(rows), explain
    if given[0] == "inputs" and isinstance(rows, dict):
        return _columns_of_lists(rows), explain
    return _columns_of_records(rows, given[0], limits), explain


def _columns_of_split(split: Any) -> Mapping[str, Sequence[Any]]:
    is_split = isinstance(split, dict) and not set(split) - {"columns", "index", "data"}
    names: Any = split.get("columns") if is_split else None
    rows: Any = split.get("data") if is_split else None
    if not _is_list_of(names, str) or not _is_list_of(rows, list):
        raise RequestError('expected "dataframe_split": {"columns": [names], "data": [[values]]}')
    contract.check_names(len(names), is_each_once=len(set(names)) == len(names))
    for position, row in enumerate(rows):
        if len(row) != len(names):
            text = f"found {len(row):,} values in row {position} (counted from 0)"
            raise RequestError(f"{text}, expected one for each of the {len(names)} columns")
    return {name: [row[at] for row in rows] for at, name in enumerate(names)}


def _columns_of_lists(columns: Mapping[str, Any]) -> Mapping[str, Sequence[Any]]:
    contract.check_names(len(columns))
    if not all(isinstance(values, list) for values in columns.values()):
        raise RequestError('expected "inputs": {name: [values], ...}, or a list of records')
    return columns


def _columns_of_records(rows: Any, form: str, limits: BatchLimits) -> Mapping[str, Sequence[Any]]:
    if not _is_list_of(rows, dict):
        raise RequestError(f'expected "{form}": [{{name: value, ...}}, ...]')
    # Empty records become columns as long as all others.
    limits.check_rows(len(rows))
    names = list(dict.fromkeys(name for row in rows for name in row))
    contract.check_names(len(names))
    return {name: [row.get(name) for row in rows] for name in names}


def _is_list_of(values: Any, kind: type) -> bool:
    return isinstance(values, list) and all(isinstance(one, kind) for one in values)


def _read_csv(body: bytes, limits: BatchLimits) -> Mapping[str, Sequence[Any]]:
    """The columns of a table with a head; an empty cell is missing."""
    check_number(body, (b",", b"\n"), limits)
    try:
        names, *rows = csv.reader(io.StringIO(body.decode("utf-8-sig")), strict=True)
    except (csv.Error, UnicodeDecodeError, ValueError) as error:
        text = f"the body can't be read as {CSV} with a head: {contract.cut(str(error))}"
        raise RequestError(text) from None
    split = _columns_of_split({"columns": names, "data": [row for row in rows if row]})
    return {
        name: [_value_of(cell, name in _NUMBERS) for cell in cells] for name, cells in split.items()
    }


def _value_of(cell: str, is_number: bool) -> float | str | None:
    if not cell:
        return None
    if not is_number:
        return cell
    try:
        return float(cell)
    except ValueError:
        return cell
