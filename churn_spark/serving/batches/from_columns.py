"""Columns of Arrow or Parquet -> a batch, and what is wrong with columns before they are read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from churn_spark.arrays import Bools
from churn_spark.contracts.features.spec import FEATURES, Feature
from churn_spark.errors import RequestError
from churn_spark.serving import contract
from churn_spark.serving.batches.batch import Batch, RowProblems

TEXTS: Final = ("user_id", *(feature.name for feature in FEATURES if not feature.is_numeric))


def check_names(schema: pa.Schema) -> list[str]:
    """The columns that will be read, refused before any of their values is.

    Raises:
        RequestError: with every column that doesn't fit.
    """
    if len(schema) > contract.MAX_NAMES:
        text = f"found {len(schema):,} columns, expected at most {contract.MAX_NAMES}, each once"
        raise RequestError(text)
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
            found = contract.cut(str(one.type))
            problems.append({"field": contract.cut(one.name), "problem": problem, "found": found})
    if not any(name in declared for name in schema.names):
        problems.append(contract.NOTHING_KNOWN)
    if problems:
        raise RequestError("the columns don't fit", 422, problems[: contract.MAX_PROBLEMS])
    return [name for name in schema.names if name in declared or name == "user_id"]


def _has_type(found: pa.DataType, is_numeric: bool) -> bool:
    if pa.types.is_dictionary(found):
        found = found.value_type
    if pa.types.is_null(found):
        return True
    if is_numeric:
        return bool(pa.types.is_integer(found) or pa.types.is_floating(found))
    return bool(pa.types.is_string(found) or pa.types.is_large_string(found))


def batch_of(table: pa.Table) -> Batch:
    """The rows of a table whose columns fit; a value that can't be makes its row unfit."""
    n = table.num_rows
    columns: dict[str, Any] = {}
    problems = RowProblems()
    known = np.zeros(n, dtype=bool)
    if "user_id" in table.column_names:
        columns["user_id"] = _read_texts(table["user_id"], "user_id", problems)
    for feature in FEATURES:
        if feature.name not in table.column_names:
            columns[feature.name] = np.full(n, np.nan) if feature.is_numeric else [None] * n
        elif feature.is_numeric:
            columns[feature.name] = _read_numbers(table[feature.name], feature, problems)
            known |= ~np.isnan(columns[feature.name])
        else:
            columns[feature.name] = _read_texts(table[feature.name], feature.name, problems)
            known |= columns[feature.name].notna().to_numpy()
    for position in np.flatnonzero(~known):
        if int(position) not in problems.by_row:
            problems.add(int(position), contract.NOTHING_KNOWN)
    return Batch(pd.DataFrame(columns, copy=False), problems.by_row)


def _read_numbers(column: pa.ChunkedArray, feature: Feature, problems: RowProblems) -> Any:
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    values = column.cast(pa.float64(), safe=False).to_numpy()
    expected = contract.expectation(feature)
    for position in np.flatnonzero(~contract.possible(values, feature)).tolist():
        found = repr(float(values[position]))
        problems.add(position, {"field": feature.name, "problem": expected, "found": found})
    return values


def _read_texts(column: pa.ChunkedArray, name: str, problems: RowProblems) -> pd.Series:
    """The texts, missing where one is too long: a long one is never copied once for each row."""
    expected = f"String should have at most {contract.MAX_TEXT} characters"
    parts: list[pd.Series] = []
    start = 0
    for chunk in column.chunks:
        texts, is_long = _short_texts(chunk)
        for position in np.flatnonzero(is_long).tolist():
            problem = {"field": name, "problem": expected, "found": "a longer one"}
            problems.add(start + position, problem)
        parts.append(texts.to_pandas().astype(object))
        start += len(chunk)
    return pd.concat(parts, ignore_index=True) if parts else pd.Series([], dtype=object)


def _short_texts(chunk: pa.Array) -> tuple[pa.Array, Bools]:
    """The texts, null where one is too long; and where that is."""
    if pa.types.is_null(chunk.type):
        return chunk, np.zeros(len(chunk), dtype=bool)
    is_coded = pa.types.is_dictionary(chunk.type)
    if is_coded and pa.types.is_null(chunk.dictionary.type):
        return pa.nulls(len(chunk), pa.string()), np.zeros(len(chunk), dtype=bool)
    texts = chunk.dictionary if is_coded else chunk
    is_long = pc.greater(pc.utf8_length(texts), contract.MAX_TEXT)
    texts = pc.if_else(is_long, pa.scalar(None, texts.type), texts)
    if is_coded:
        texts, is_long = texts.take(chunk.indices), is_long.take(chunk.indices)
    is_long = pc.fill_null(is_long, fill_value=False)
    return texts, is_long.to_numpy(zero_copy_only=False).astype(bool)
