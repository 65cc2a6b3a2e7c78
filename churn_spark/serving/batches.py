"""Many rows at once: JSON, Arrow or Parquet in; a probability or the problems out, per row."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError
from pydantic_core import from_json

from churn_spark.contracts.features.spec import FEATURES
from churn_spark.errors import RequestError
from churn_spark.serving import contract
from churn_spark.serving.predictor import Predictor

ARROW: Final = "application/vnd.apache.arrow.stream"
PARQUET: Final = "application/vnd.apache.parquet"
_ROW_LIMIT: Final = (
    "found more than {limit:,} rows, expected that many at most: send several batches"
)
# Parquet of a few kilobytes can unfold into gigabytes.
_MAX_UNFOLDED: Final = 256 * 2**20


@dataclass(frozen=True)
class Batch:
    """The rows of a request.

    Attributes:
        rows: the features' columns, and user_id where it was given; an unfit row is all missing.
        problems: of the unfit rows, by their position.
    """

    rows: pd.DataFrame
    problems: Mapping[int, Sequence[Mapping[str, object]]]


@dataclass(frozen=True)
class Answers:
    """What is answered, row by row, in the order of the request.

    Attributes:
        columns: user_id (if given), churn_probability, risk_band, reasons (if asked for), problems;
            each of the length of the batch, None where a row has none.
        n_failed: rows without a probability.
    """

    columns: Mapping[str, list[Any]]
    n_failed: int


def read_batch(body: bytes, content_type: str, max_rows: int) -> Batch:
    """The rows of a body.

    Raises:
        RequestError: if the body as a whole doesn't fit: unreadable, too many rows, unknown columns
            or columns of a wrong type, all named.
    """
    if content_type not in (ARROW, PARQUET):
        return _read_json(body, max_rows)
    read = _read_stream if content_type == ARROW else _read_parquet
    try:
        table = read(body, max_rows)
    except (pa.ArrowException, OSError) as error:
        raise RequestError(f"the body can't be read as {content_type}: {error}") from None
    return _check_columns(table)


def answer_batch(batch: Batch, predictor: Predictor, *, explain: bool) -> Answers:
    """Probability, band and, if asked for, reasons of every fit row."""
    n = len(batch.rows)
    fit = np.array([position not in batch.problems for position in range(n)], dtype=bool)
    rows = batch.rows[fit] if batch.problems else batch.rows
    found = predictor.bundle.probabilities(rows) if len(rows) else np.empty(0)
    probabilities = _spread(found.tolist(), fit)
    columns: dict[str, list[Any]] = {}
    if "user_id" in batch.rows:
        columns["user_id"] = batch.rows["user_id"].astype(object).tolist()
    columns["churn_probability"] = probabilities
    columns["risk_band"] = [
        None if one is None else predictor.limits.band(one) for one in probabilities
    ]
    if explain:
        reasons = predictor.bundle.reasons(rows, predictor.n_reasons) if len(rows) else []
        sentences = [[reason.sentence for reason in several] for several in reasons]
        columns["reasons"] = _spread(sentences, fit)
    columns["problems"] = [list(batch.problems.get(position, ())) or None for position in range(n)]
    return Answers(columns, len(batch.problems))


def write_json(answers: Answers, predictor: Predictor) -> bytes:
    """The answers as one JSON object; a row has its keys only where they have a value."""
    names = list(answers.columns)
    rows = [
        {"row": position}
        | {name: value for name, value in zip(names, values, strict=True) if value is not None}
        for position, values in enumerate(zip(*answers.columns.values(), strict=True))
    ]
    about = {
        "model_version": predictor.bundle.version,
        "feature_fingerprint": predictor.bundle.encoding.fingerprint,
        "n_rows": len(rows),
        "n_failed": answers.n_failed,
    }
    return json.dumps({**about, "rows": rows}).encode()


def write_arrow(answers: Answers, predictor: Predictor) -> bytes:
    """The answers as an Arrow stream; problems as sentences, the model in the schema's metadata."""
    types = {
        "user_id": pa.string(),
        "churn_probability": pa.float64(),
        "risk_band": pa.string(),
        "reasons": pa.list_(pa.string()),
        "problems": pa.list_(pa.string()),
    }
    columns = dict(answers.columns)
    columns["problems"] = [
        one and [f"{p['field']}: {p['problem']} (found {p['found']})" for p in one]
        for one in columns["problems"]
    ]
    about = {
        "model_version": predictor.bundle.version,
        "feature_fingerprint": predictor.bundle.encoding.fingerprint,
    }
    schema = pa.schema([(name, types[name]) for name in columns], metadata=about)
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, schema) as writer:
        writer.write_table(pa.table(columns, schema=schema))
    return sink.getvalue()


def _spread(values: list[Any], fit: np.ndarray[Any, np.dtype[np.bool_]]) -> list[Any]:
    remaining = iter(values)
    return [next(remaining) if is_fit else None for is_fit in fit]


def _read_json(body: bytes, max_rows: int) -> Batch:
    try:
        found = from_json(body)
    except ValueError as error:
        raise RequestError(f"the body is no JSON: {error}") from None
    rows = found.get("rows") if isinstance(found, dict) else found
    if not isinstance(rows, list) or (isinstance(found, dict) and len(found) > 1):
        raise RequestError('found something else than rows, expected {"rows": [{...}, ...]}')
    _check_number(len(rows), max_rows)
    validate = contract.UserFeatures.__pydantic_validator__.validate_python
    problems: dict[int, Sequence[Mapping[str, object]]] = {}
    values: list[Mapping[str, Any]] = []
    for position, row in enumerate(rows):
        try:
            values.append(validate(row).__dict__)
            if contract.nothing_known(values[-1]):
                problems[position] = [contract.NOTHING_KNOWN]
        except ValidationError as error:
            problems[position] = contract.problems_of(error)
            values.append({})
    names = [
        *(("user_id",) if any("user_id" in row for row in rows if isinstance(row, dict)) else ()),
        *(feature.name for feature in FEATURES),
    ]
    columns = {name: pd.Series([row.get(name) for row in values], dtype=object) for name in names}
    return Batch(pd.DataFrame(columns, copy=False), problems)


def _read_stream(body: bytes, max_rows: int) -> pa.Table:
    batches, n_rows = [], 0
    with pa.ipc.open_stream(body) as reader:
        _check_names(reader.schema)
        for batch in reader:
            n_rows += batch.num_rows
            _check_number(n_rows, max_rows)
            batches.append(batch)
        return pa.Table.from_batches(batches, reader.schema)


def _read_parquet(body: bytes, max_rows: int) -> pa.Table:
    file = pq.ParquetFile(pa.BufferReader(body))
    _check_names(file.schema_arrow)
    about = file.metadata
    _check_number(about.num_rows, max_rows)
    unfolded = sum(about.row_group(i).total_byte_size for i in range(about.num_row_groups))
    if unfolded > _MAX_UNFOLDED:
        raise RequestError(f"the Parquet unfolds into {unfolded:,} bytes: send less at once", 413)
    return file.read()


def _check_number(n_rows: int, max_rows: int) -> None:
    if n_rows > max_rows:
        raise RequestError(_ROW_LIMIT.format(limit=max_rows), 413)


def _check_names(schema: pa.Schema) -> None:
    """Refuse the columns before any of their values is read."""
    declared = {feature.name: feature for feature in FEATURES}
    problems: list[Mapping[str, object]] = []
    for one in schema:
        problem = ""
        if schema.names.count(one.name) > 1:
            problem = "several columns of this name"
        elif one.name in declared and not _has_type(one.type, declared[one.name].is_numeric):
            expected = "numbers" if declared[one.name].is_numeric else "text"
            problem = f"expected a column of {expected}"
        elif one.name == "user_id" and not _has_type(one.type, is_numeric=False):
            problem = "expected a column of text"
        elif one.name not in declared and one.name not in contract.IDENTITY:
            problem = "no feature of this name"
        if problem:
            problems.append({"field": one.name, "problem": problem, "found": str(one.type)})
    if not any(name in declared for name in schema.names):
        problems.append(contract.NOTHING_KNOWN)
    if problems:
        raise RequestError("the columns don't fit", 422, problems)


def _has_type(found: pa.DataType, is_numeric: bool) -> bool:
    if pa.types.is_dictionary(found):
        found = found.value_type
    if pa.types.is_null(found):
        return True
    if is_numeric:
        return bool(pa.types.is_integer(found) or pa.types.is_floating(found))
    return bool(pa.types.is_string(found) or pa.types.is_large_string(found))


def _check_columns(table: pa.Table) -> Batch:
    """The rows of a table whose columns fit; a value that can't be makes its row unfit."""
    n = table.num_rows
    columns: dict[str, Any] = {}
    problems: dict[int, list[Mapping[str, object]]] = {}
    known = np.zeros(n, dtype=bool)
    if "user_id" in table.column_names:
        columns["user_id"] = table["user_id"].to_pandas().astype(object)
    for feature in FEATURES:
        if feature.name not in table.column_names:
            columns[feature.name] = np.full(n, np.nan) if feature.is_numeric else [None] * n
            continue
        column = table[feature.name]
        if not feature.is_numeric:
            columns[feature.name] = column.to_pandas().astype(object)
            known |= columns[feature.name].notna().to_numpy()
            continue
        values = column.cast(pa.float64(), safe=False).to_numpy()
        known |= ~np.isnan(values)
        for position in np.flatnonzero(~contract.possible(values, feature)):
            problems.setdefault(int(position), []).append(
                {
                    "field": feature.name,
                    "problem": contract.expectation(feature),
                    "found": repr(float(values[position])),
                }
            )
        columns[feature.name] = values
    for position in np.flatnonzero(~known):
        problems.setdefault(int(position), []).append(contract.NOTHING_KNOWN)
    return Batch(pd.DataFrame(columns, copy=False), problems)
