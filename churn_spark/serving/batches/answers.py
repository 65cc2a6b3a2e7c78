"""A batch in, a probability or the problems out for each of its rows, as JSON or Arrow."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from churn_spark.errors import RequestError
from churn_spark.serving import contract
from churn_spark.serving.batches.arrow_stream import read_arrow
from churn_spark.serving.batches.batch import ARROW, PARQUET, Batch, BatchLimits
from churn_spark.serving.batches.from_columns import batch_of
from churn_spark.serving.batches.from_json import read_json
from churn_spark.serving.batches.parquet_file import read_parquet
from churn_spark.serving.predictor import Predictor


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


def read_batch(body: bytes, content_type: str, limits: BatchLimits) -> Batch:
    """The rows of a body.

    Raises:
        RequestError: if the body as a whole doesn't fit: unreadable, too many rows, too much when
            it is unfolded, unknown columns or columns of a wrong type, all named.
    """
    if content_type not in (ARROW, PARQUET):
        return read_json(body, limits)
    read = read_arrow if content_type == ARROW else read_parquet
    try:
        table = read(body, limits)
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:
        text = f"the body can't be read as {content_type}: {contract.cut(str(error))}"
        raise RequestError(text) from None
    return batch_of(table)


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
        reasons = predictor.bundle.reasons(rows, predictor.scoring) if len(rows) else []
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
    # Row by row: in one call nothing else would be answered meanwhile.
    text = ", ".join(map(json.dumps, rows))
    return f'{json.dumps(about)[:-1]}, "rows": [{text}]}}'.encode()


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
