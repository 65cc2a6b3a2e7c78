"""Rows of JSON -> a batch; one row after the other, so that no more than one is unfolded."""

from __future__ import annotations

from operator import itemgetter
from typing import Any, Final

import numpy as np
import pandas as pd

from churn_spark.contracts.features.spec import FEATURES
from churn_spark.errors import RequestError
from churn_spark.serving import contract
from churn_spark.serving.batches.batch import Batch, BatchLimits, RowProblems
from churn_spark.serving.json_rows import cut_rows

_NUMBERS: Final = [feature.name for feature in FEATURES if feature.is_numeric]
_TEXTS: Final = [feature.name for feature in FEATURES if not feature.is_numeric]
_NO_JSON: Final = "Invalid JSON"


def read_json(body: bytes, limits: BatchLimits) -> Batch:
    """The rows of `{"rows": [...]}` or of an array.

    Raises:
        RequestError: if it is neither, is no JSON, or has too many rows.
    """
    cut = cut_rows(body, "rows", limits.n_rows, limits.row_bytes)
    if cut is None or cut.rows is None or cut.others:
        raise RequestError('found something else than rows, expected {"rows": [{...}, ...]}')
    problems = RowProblems()
    numbers = np.full((len(cut.rows), len(_NUMBERS)), np.nan)
    others: dict[str, list[Any]] = {name: [None] * len(cut.rows) for name in ("user_id", *_TEXTS)}
    numbers_of, is_named = itemgetter(*_NUMBERS), False
    for position, row in enumerate(cut.rows):
        values, wrong = contract.read_user(row)
        is_named = is_named or b'"user_id"' in row
        for problem in wrong:
            if str(problem["problem"]).startswith(_NO_JSON):
                text = f"the body is no JSON: row {position} (counted from 0): {problem['problem']}"
                raise RequestError(text)
            problems.add(position, problem)
        if values:
            numbers[position] = numbers_of(values)
            for name, column in others.items():
                column[position] = values[name]
    columns: dict[str, Any] = {"user_id": pd.Series(others["user_id"], dtype=object)}
    for feature in FEATURES:
        columns[feature.name] = (
            numbers[:, _NUMBERS.index(feature.name)]
            if feature.is_numeric
            else pd.Series(others[feature.name], dtype=object)
        )
    if not is_named:
        del columns["user_id"]
    return Batch(pd.DataFrame(columns, copy=False), problems.by_row)
