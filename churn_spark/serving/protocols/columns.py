"""A JSON body that tells its rows by columns -> a batch.

A value of JSON has two bytes at least and takes thirty of Python's, so the values of a body are
counted before it is read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import pyarrow as pa
from pydantic_core import from_json

from churn_spark.errors import RequestError
from churn_spark.serving import contract
from churn_spark.serving.batches import Batch, BatchLimits
from churn_spark.serving.batches.from_columns import batch_of, check_names

# Each value comes behind one of these, or behind a name that does.
_MARKS: Final = (b",", b"[", b"{")
_TOLD: Final = 20


def read_values(body: bytes, limits: BatchLimits) -> Any:
    """A body of JSON as Python has it; numbers that JSON doesn't know (`NaN`) are no JSON.

    Raises:
        RequestError: if it is no JSON, or has more values than a batch may have.
    """
    check_number(body, _MARKS, limits)
    try:
        return from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise RequestError(f"the body is no JSON: {contract.cut(str(error))}") from None


def check_number(body: bytes, marks: Sequence[bytes], limits: BatchLimits) -> None:
    """Refuse a body with more values than a batch may have, by the marks that begin them.

    Raises:
        RequestError: with status 413.
    """
    # Some things stand beside the rows.
    most = (limits.n_rows + 10) * (contract.MAX_NAMES + 2)
    if sum(body.count(mark) for mark in marks) > most:
        raise RequestError(
            f"found more than {most:,} values, expected at most {limits.n_rows:,} rows "
            f"of {contract.MAX_NAMES}: send several batches",
            413,
        )


def batch_of_values(columns: Mapping[str, Sequence[Any]], limits: BatchLimits) -> Batch:
    """The rows of columns of equal length; null is missing.

    Raises:
        RequestError: if there are too many rows, or columns don't fit, all of them named.
    """
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        found = ", ".join(f"{contract.cut(name)}: {n:,}" for name, n in list(lengths.items())[:5])
        raise RequestError(f"found columns of different lengths ({found}), expected equal ones")
    limits.check_rows(max(lengths.values(), default=0))
    arrays: dict[str, pa.Array] = {}
    problems: list[Mapping[str, object]] = []
    for name, values in columns.items():
        try:
            arrays[name] = pa.array(values)
        except (pa.ArrowException, OverflowError, TypeError):
            problem = "expected values of one kind: numbers or text, null where none is known"
            found = contract.shown(next((one for one in values if one is not None), None))
            problems.append({"field": contract.cut(name), "problem": problem, "found": found})
    if problems:
        raise RequestError("the columns don't fit", 422, problems[: contract.MAX_PROBLEMS])
    table = pa.table(arrays)
    return batch_of(table.select(check_names(table.schema)))


def refuse_unfit_rows(batch: Batch) -> None:
    """Refuse a batch with rows that don't fit, for answers that have a value for every row.

    Raises:
        RequestError: with the problems of the first rows.
    """
    if not batch.problems:
        return
    told = [
        {**problem, "field": f"row {position}: {problem['field']}".removesuffix(": ")}
        for position, several in sorted(batch.problems.items())[:_TOLD]
        for problem in several
    ]
    n = len(batch.problems)
    text = f"{n:,} of {len(batch.rows):,} rows don't fit (rows are counted from 0)"
    raise RequestError(text, 422, told[: contract.MAX_PROBLEMS])
