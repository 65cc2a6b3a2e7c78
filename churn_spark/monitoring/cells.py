"""Counts of current rows per baseline cell, in one pass over the rows.

The Spark half of `churn_spark.monitoring.ks`: what leaves a partition are counts, not rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

import numpy as np
import pyarrow as pa
from pyspark.broadcast import Broadcast
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import BooleanType, NumericType

from churn_spark.errors import SchemaError
from churn_spark.monitoring.ks import MISSING_CELL, Baseline, locate_cells

CELLS_SCHEMA = "feature string, cell long, n long"

_Edges = dict[str, "np.ndarray[tuple[int, ...], np.dtype[np.float64]]"]


def count_cells_by_feature(current: DataFrame, baselines: Mapping[str, Baseline]) -> DataFrame:
    """Count the rows of each feature in the cells of its baseline.

    Grain: (feature, cell), only cells that hold rows. `cell` is in [0, 2K], or -1 for null and
    NaN; `n` is a number of rows. A feature's `n` sum to the rows of `current`.

    A Python worker holds 8 * (2K+2) bytes per feature: 48 MB for 30 baselines of 100,000
    distinct values. The frame that comes back has at most 2K+2 rows per feature.

    Args:
        current: one row per user; extra columns are not read.
        baselines: the reference sample of each numeric or boolean column to count.

    Raises:
        SchemaError: if a feature is not a column of `current`, or not a numeric one.
        ValueError: if `baselines` is empty.
    """
    if not baselines:
        raise ValueError("found no baseline, expected one per feature to count")
    features = sorted(baselines)
    _check_columns(current, features)
    edges: _Edges = {feature: baselines[feature].edges for feature in features}
    shared = current.sparkSession.sparkContext.broadcast(edges)
    # One type for all columns: the JVM's cast rounds long integers as numpy does.
    values = current.select([F.col(f"`{feature}`").cast("double") for feature in features])
    return (
        values.mapInArrow(_count_partition(shared), CELLS_SCHEMA)
        .groupBy("feature", "cell")
        .agg(F.sum("n").alias("n"))
        .select("feature", "cell", "n")
    )


def _check_columns(current: DataFrame, features: list[str]) -> None:
    types = {field.name: field.dataType for field in current.schema.fields}
    missing = [feature for feature in features if feature not in types]
    textual = [
        f"{feature} ({types[feature].simpleString()})"
        for feature in features
        if feature in types and not isinstance(types[feature], NumericType | BooleanType)
    ]
    if missing or textual:
        raise SchemaError(
            f"found columns {sorted(types)}; expected numeric columns for every baseline, "
            f"but missing: {missing}, not numeric: {textual}; "
            "compare features of the same fingerprint"
        )


def _count_partition(
    shared: Broadcast[_Edges],
) -> Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """Return the function that turns a partition's batches into its sparse counts."""

    def count(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        edges = shared.value
        # Shifted by one, so that the missing cell has a place: index 0.
        tallies = {f: np.zeros(2 * e.size + 2, dtype=np.int64) for f, e in edges.items()}
        for batch in batches:
            for position, feature in enumerate(edges):
                values = batch.column(position).to_numpy(zero_copy_only=False)
                np.add.at(tallies[feature], locate_cells(edges[feature], values) + 1, 1)
        for feature, tally in tallies.items():
            filled = np.flatnonzero(tally)
            columns = [
                pa.repeat(pa.scalar(feature), filled.size),
                pa.array(filled + MISSING_CELL),
                pa.array(tally[filled]),
            ]
            yield pa.RecordBatch.from_arrays(columns, names=["feature", "cell", "n"])

    return count
