"""Counts of current rows per reference bin, in one pass over the rows.

The Spark half of `churn_spark.monitoring.drift.ks`: what leaves a partition are counts, not rows.
Counts add up: over partitions, and over nights.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from churn_spark.contracts.features.segments import ALL, SEGMENT_PREFIX
from churn_spark.contracts.tables import DRIFT_CELLS
from churn_spark.errors import SchemaError
from churn_spark.lakehouse.frames import Batches, HasValue, Rows, apply, apply_by, share
from churn_spark.lakehouse.schema import struct_of
from churn_spark.monitoring.drift.ks import (
    MISSING_BIN,
    ReferenceSample,
    SparseCounts,
    locate_bins,
    sum_sparse,
)

BINS_SCHEMA: Final = struct_of(DRIFT_CELLS, ["slice", "feature", "cells", "counts"])

_NUMBERS: Final = ("floating", "integer", "mixed-integer-float", "boolean", "empty")

Edges = dict[str, NDArray[np.float64]]
"""Feature -> sorted distinct values of its reference."""

Prepare = Callable[[pd.DataFrame], pd.DataFrame]
"""A batch of rows -> the same rows with a number for each feature, and their segments."""


def share_edges(rows: Rows, samples: Mapping[str, ReferenceSample]) -> HasValue[Edges]:
    """Send the edges of the samples to where the rows are counted, once for several counts.

    Raises:
        ValueError: if `samples` is empty.
    """
    if not samples:
        raise ValueError("found no reference, expected one per feature to count")
    return share(rows, {feature: samples[feature].edges for feature in sorted(samples)})


def count_bins_by_feature(
    current: Rows,
    edges: HasValue[Edges],
    segments: Sequence[str] = (),
    prepare: Prepare = pd.DataFrame,
) -> Rows:
    """Count the rows of each feature in the bins of its reference, for all users and by segment.

    Grain: (slice, feature). `cells` are in [0, 2K], ascending, only those that hold rows, and -1
    for null and NaN; `counts` are numbers of rows. The slice `all` has every row; a segment
    `level` gives one slice for each of its values, `level=paid`. A feature's counts sum to the
    rows of the slice.

    A Python worker holds 8 * (2K+2) bytes per feature, 48 MB for 30 samples of 100,000
    distinct values, and for the segments at most as many bins as rows it has seen. A row that
    comes back has at most 2K+2 bins.

    Args:
        current: one row per user.
        edges: of the features to count, as `share_edges` gives them.
        segments: names of text columns, there with the prefix `segment_`.
        prepare: gives the numbers and segments of a batch; it holds them already if none is given.

    Raises:
        SchemaError: if a feature is no column of what is counted, or not a numeric one; from
            Spark's workers it comes as the message of their exception.
    """
    counted = apply(current, _count_partition(edges, segments, prepare), BINS_SCHEMA)
    if isinstance(counted, pd.DataFrame):
        # Of one batch, which has no other parts.
        return counted
    # Starting a group costs more than its work: one a feature, with all its slices.
    return apply_by(counted, "feature", add_counts, BINS_SCHEMA)


def add_counts(parts: pd.DataFrame) -> pd.DataFrame:
    """One row of bins and their summed counts for each slice from several rows of one feature."""
    feature = parts["feature"].iloc[0]
    rows = []
    for name, places in parts.groupby("slice", sort=True).indices.items():
        part = parts.iloc[places]
        rows.append((name, feature, *sum_sparse(part["cells"], part["counts"])))
    return pd.DataFrame(rows, columns=parts.columns)


def _check_columns(batch: pd.DataFrame, features: Iterable[str]) -> None:
    wanted = {feature: feature in batch.columns for feature in features}
    missing = [feature for feature, is_there in wanted.items() if not is_there]
    types = {one: pd.api.types.infer_dtype(batch[one]) for one in wanted if wanted[one]}
    textual = [f"{name} ({found})" for name, found in types.items() if found not in _NUMBERS]
    if missing or textual:
        raise SchemaError(
            f"found columns {sorted(batch.columns)}; expected numeric columns for every "
            f"reference, but missing: {missing}, not numeric: {textual}; "
            "compare features of the same fingerprint"
        )


def _count_partition(
    shared: HasValue[Edges], segments: Sequence[str], prepare: Prepare
) -> Callable[[Batches], Batches]:
    """Return the function that turns a partition's batches into its sparse counts."""

    def count(batches: Batches) -> Batches:
        edges = shared.value
        # Shifted by one, so that the missing bin has a place: index 0.
        tallies = {f: np.zeros(2 * e.size + 2, dtype=np.int64) for f, e in edges.items()}
        parts: dict[tuple[str, str], _Pile] = {}
        for batch in map(prepare, batches):
            _check_columns(batch, edges)
            groups = list(_groups(batch, segments))
            for feature in edges:
                values = batch[feature].to_numpy(dtype=np.float64, na_value=np.nan)
                np.add.at(tallies[feature], locate_bins(edges[feature], values) + 1, 1)
                for name, rows in groups:
                    pile = parts.setdefault((name, feature), _Pile())
                    pile.add(locate_bins(edges[feature], values[rows]))
        filled = ((feature, np.flatnonzero(tally)) for feature, tally in tallies.items())
        found = [
            (ALL, feature, bins + MISSING_BIN, tallies[feature][bins])
            for feature, bins in filled
            if bins.size
        ]
        found += [(name, feature, *pile.total()) for (name, feature), pile in parts.items()]
        yield pd.DataFrame(found, columns=BINS_SCHEMA.names)

    return count


def _groups(
    batch: pd.DataFrame, segments: Sequence[str]
) -> Iterator[tuple[str, NDArray[np.int64]]]:
    """The name of each slice in the batch, and its rows."""
    for segment in segments:
        values = batch[f"{SEGMENT_PREFIX}{segment}"].reset_index(drop=True)
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
