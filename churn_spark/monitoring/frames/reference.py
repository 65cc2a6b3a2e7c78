"""What the current rows of a night are compared with, and how they are encoded for that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from churn_spark.contracts.features.history import (
    ALWAYS,
    FILLED_DAYS,
    LATE_ROWS,
    LOG_DAYS,
    History,
    Need,
)
from churn_spark.contracts.features.segments import ALL, SEGMENT_PREFIX
from churn_spark.contracts.features.spec import Feature, need_to_compare
from churn_spark.evaluation.coarse import coarsen
from churn_spark.evaluation.segments import segments_of
from churn_spark.models.bundle import ModelBundle
from churn_spark.models.encoding import Encoding
from churn_spark.monitoring.drift.comparisons import code_reference
from churn_spark.monitoring.drift.ks import (
    ReferenceSample,
    SparseCounts,
    build_reference,
    locate_bins,
)
from churn_spark.monitoring.policy.policy import PREDICTION

MAX_SLICE_SAMPLE = 20_000
"""Training rows that are counted by slice; each segment keeps at most as many bins a feature."""


@dataclass(frozen=True)
class Reference:
    """What the current rows are compared with: the champion's training rows.

    Each feature is compared with those of them that had known enough of the log; of models of an
    older release, which don't say, with all.

    Attributes:
        version: of the champion.
        samples: feature -> its sample; of a category its codes, those without a row too.
        levels: category -> how many levels the model knows; the next code is all others.
        importance: feature -> share of what moves the scores.
        slices: slice -> feature -> bins and counts of the training rows that belong to it; of the
            slice `all` where they aren't all of the sample.
        incomparable: features that can't be compared yet: too little is there of the log tonight,
            or was when the training rows were made.
    """

    version: str
    samples: Mapping[str, ReferenceSample]
    levels: Mapping[str, int]
    importance: Mapping[str, float]
    slices: Mapping[str, Mapping[str, SparseCounts]] = field(default_factory=dict)
    incomparable: frozenset[str] = frozenset()

    @staticmethod
    def of(bundle: ModelBundle, importance_rows: int, tonight: History) -> Reference:
        """The reference that belongs to a model, on a night.

        Args:
            bundle: of the champion.
            importance_rows: number of training rows, the first ones, to measure the importance on.
            tonight: how much log there is before the night.
        """
        sample = bundle.baseline[[*bundle.encoding.features, PREDICTION]]
        levels = {name: len(known) for name, known in bundle.encoding.levels.items()}
        matrix = sample[list(bundle.encoding.features)].to_numpy(dtype=np.float64)
        sizes = np.abs(bundle.contributions_of(matrix[:importance_rows]).values).mean(axis=0)
        total = float(sizes.sum())
        samples = {
            name: (
                code_reference(values, levels[name]) if name in levels else build_reference(values)
            )
            for name, values in ((n, sample[n].to_numpy(dtype=float)) for n in sample.columns)
        }
        full = {
            name: compared_rows(bundle.baseline, need_to_compare(name), tonight) for name in samples
        }
        return Reference(
            bundle.version,
            samples,
            levels,
            {
                name: float(size) / total if total else 0.0
                for name, size in zip(bundle.encoding.features, sizes, strict=True)
            },
            count_slices(bundle.baseline, samples, full),
            frozenset(name for name, is_full in full.items() if not is_full.any()),
        )


def compared_rows(sample: pd.DataFrame, need: Need, tonight: History) -> NDArray[np.bool_]:
    """Which training rows can be compared on a night with what needs so much, shape (rows,)."""
    if need == ALWAYS or LOG_DAYS not in sample:
        return np.ones(len(sample), dtype=np.bool_)
    return need.is_filled(sample[LOG_DAYS], sample[FILLED_DAYS], tonight)


def is_outgrown(sample: pd.DataFrame, log_days: int) -> bool:
    """Whether a log has grown too long for drift to be judged by the training rows.

    That is so of what looks back on a whole life, and of the prediction, whatever gap the log may
    have now. Models of an older release don't say how long the log was.
    """
    without_gap = History(log_days, LATE_ROWS.days)
    return not compared_rows(sample, LATE_ROWS, without_gap).any()


def count_slices(
    sample: pd.DataFrame,
    samples: Mapping[str, ReferenceSample],
    full: Mapping[str, NDArray[np.bool_]],
) -> dict[str, dict[str, SparseCounts]]:
    """Count training rows by slice in the bins of all training rows.

    Args:
        sample: columns of `samples`, categories as codes, and `segment_` ones with names.
        samples: feature -> all training rows.
        full: feature -> which of the training rows it is compared with.

    Returns:
        Slice, `level=paid` -> feature -> bins and counts. The slice `all` has the features that
        aren't compared with all rows.
    """
    found = {
        ALL: {
            name: _count_sparse(samples[name], sample.loc[is_full, name].to_numpy(dtype=float))
            for name, is_full in full.items()
            if not is_full.all()
        }
    }
    parts = sample[:MAX_SLICE_SAMPLE].reset_index(drop=True)
    for column in parts.columns[parts.columns.str.startswith(SEGMENT_PREFIX)]:
        for value, places in parts.groupby(column).indices.items():
            found[f"{column.removeprefix(SEGMENT_PREFIX)}={value}"] = {
                name: _count_sparse(
                    reference, parts[name].to_numpy(dtype=float)[places[full[name][places]]]
                )
                for name, reference in samples.items()
            }
    return found


def _count_sparse(reference: ReferenceSample, values: NDArray[np.float64]) -> SparseCounts:
    bins, counts = np.unique(locate_bins(reference.edges, values), return_counts=True)
    return bins, counts.astype(np.int64)


def encode_users(
    batch: pd.DataFrame, encoding: Encoding, coarse: Sequence[Feature] = ()
) -> pd.DataFrame:
    """Scored snapshot rows as the numbers of the reference: inputs, prediction and segments.

    Grain: that of `batch`.

    Args:
        batch: the rows.
        encoding: of the model.
        coarse: features of which the reference has coarse numbers.
    """
    inputs = pd.DataFrame(encoding.encode(batch), batch.index, encoding.features)
    inputs = coarsen(inputs, coarse)
    segments = segments_of(batch, SEGMENT_PREFIX)
    return pd.concat([inputs, batch[[PREDICTION]], segments], axis=1)
