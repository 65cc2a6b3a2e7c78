"""Counts of current rows per reference bin, in one pass over the rows.

The Spark half of `churn_spark.monitoring.drift.ks`: what leaves a partition are counts, not rows.
Counts add up: over partitions, and over nights.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.broadcast import Broadcast
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import BooleanType, NumericType

from churn_spark.contracts.features.segments import ALL, SEGMENT_PREFIX
from churn_spark.errors import SchemaError
from churn_spark.monitoring.drift.ks import (
    MISSING_BIN,
    ReferenceSample,
    SparseCounts,
    locate_bins,
    sum_sparse,
)

BINS_SCHEMA = "slice string, feature string, cells array<long>, counts array<long>"


Edges = dict[str, NDArray[np.float64]]
"""Feature -> sorted distinct values of its reference."""


def share_edges(spark: SparkSession, samples: Mapping[str, ReferenceSample]) -> Broadcast[Edges]:
    """Send the edges of the samples to the workers, once for several counts."""
    edges = {feature: samples[feature].edges for feature in sorted(samples)}
    return spark.sparkContext.broadcast(edges)


def count_bins_by_feature(
    current: DataFrame,
    samples: Mapping[str, ReferenceSample],
    segments: Sequence[str] = (),
    edges: Broadcast[Edges] | None = None,
) -> DataFrame:
    """Count the rows of each feature in the bins of its reference, for all users and by segment.

    Grain: (slice, feature). `cells` are in [0, 2K], ascending, only those that hold rows, and -1
    for null and NaN; `counts` are numbers of rows. The slice `all` has every row; a segment
    `level` gives one slice for each of its values, `level=paid`. A feature's counts sum to the
    rows of the slice.

    A Python worker holds 8 * (2K+2) bytes per feature, 48 MB for 30 samples of 100,000
    distinct values, and for the segments at most as many bins as rows it has seen. A row that
    comes back has at most 2K+2 bins.

    Args:
        current: one row per user; extra columns are not read.
        samples: the reference sample of each numeric or boolean column to count.
        segments: names of text columns, there with the prefix `segment_`.
        edges: of the samples, as `share_edges` has sent them; sent now where none are given.

    Raises:
        SchemaError: if a feature is not a column of `current`, or not a numeric one.
        ValueError: if `samples` is empty.
    """
    if not samples:
        raise ValueError("found no reference, expected one per feature to count")
    features = sorted(samples)
    _check_columns(current, features)
    shared = edges or share_edges(current.sparkSession, samples)
    # One type for all columns: the JVM's cast rounds long integers as numpy does.
    values = current.select(
        *[F.col(f"`{feature}`").cast("double") for feature in features],
        *[F.col(f"{SEGMENT_PREFIX}{segment}") for segment in segments],
    )
    counted = values.mapInArrow(_count_partition(shared, segments), BINS_SCHEMA)
    # Starting a group costs more than its work: one a feature, with all its slices.
    return counted.groupBy("feature").applyInPandas(add_counts, BINS_SCHEMA)


def add_counts(parts: pd.DataFrame) -> pd.DataFrame:
    """One row of bins and their summed counts for each slice from several rows of one feature."""
    feature = parts["feature"].iloc[0]
    rows = []
    for name, places in parts.groupby("slice", sort=True).indices.items():
        part = parts.iloc[places]
        rows.append((name, feature, *sum_sparse(part["cells"], part["counts"])))
    return pd.DataFrame(rows, columns=parts.columns)


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
            f"found columns {sorted(types)}; expected numeric columns for every reference, "
            f"but missing: {missing}, not numeric: {textual}; "
            "compare features of the same fingerprint"
        )


def _count_partition(
    shared: Broadcast[Edges], segments: Sequence[str]
) -> Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """Return the function that turns a partition's batches into its sparse counts."""

    def count(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        edges = shared.value
        # Shifted by one, so that the missing bin has a place: index 0.
        tallies = {f: np.zeros(2 * e.size + 2, dtype=np.int64) for f, e in edges.items()}
        parts: dict[tuple[str, str], _Pile] = {}
        for batch in batches:
            groups = list(_groups(batch, segments, len(edges)))
            for position, feature in enumerate(edges):
                values = batch.column(position).to_numpy(zero_copy_only=False)
                np.add.at(tallies[feature], locate_bins(edges[feature], values) + 1, 1)
                for name, rows in groups:
                    pile = parts.setdefault((name, feature), _Pile())
                    pile.add(locate_bins(edges[feature], values[rows]))
        for feature, tally in tallies.items():
            filled = np.flatnonzero(tally)
            if filled.size:
                yield _row(ALL, feature, (filled + MISSING_BIN, tally[filled]))
        for (name, feature), pile in parts.items():
            yield _row(name, feature, pile.total())

    return count


def _groups(
    batch: pa.RecordBatch, segments: Sequence[str], first: int
) -> Iterator[tuple[str, NDArray[np.int64]]]:
    """The name of each slice in the batch, and its rows."""
    for position, segment in enumerate(segments):
        values = pd.Series(batch.column(first + position).to_pandas())
        for value, rows in values.groupby(values).indices.items():
            yield f"{segment}={value}", np.asarray(rows)


class _Pile:
    """Counts of one slice and feature, summed whenever the unsummed have outgrown the sum."""

    def __init__(self) -> None:
        self._sum: SparseCounts = (np.zeros(0, np.int64), np.zeros(0, np.int64))
        self._loose: list[NDArray[np.int64]] = []
        self._n_loose = 0

    def add(self, bins: NDArray[np.int64]) -> None:
        """Count each bin once more."""
        self._loose.append(bins)
        self._n_loose += bins.size
        if self._n_loose > 10_000 + self._sum[0].size:
            self.total()

    def total(self) -> SparseCounts:
        """Cells and counts of all that was added."""
        loose, n = np.unique(
            np.concatenate([np.zeros(0, np.int64), *self._loose]), return_counts=True
        )
        self._sum = sum_sparse([self._sum[0], loose], [self._sum[1], n])
        self._loose, self._n_loose = [], 0
        return self._sum


def _row(name: str, feature: str, counts: SparseCounts) -> pa.RecordBatch:
    arrays = [pa.array([name]), pa.array([feature]), *(pa.array([part]) for part in counts)]
    return pa.RecordBatch.from_arrays(arrays, names=["slice", "feature", "cells", "counts"])
