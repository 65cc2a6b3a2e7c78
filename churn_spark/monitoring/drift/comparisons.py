"""Tonight's counts against the training rows, and against earlier nights, feature by feature.

Earlier nights are known by their counts in the bins of the reference, and so is tonight. Two
such counts are compared as two samples whose values sit on the reference's values and, for what
lies between two of them, in the middle. D against the training rows, and against those of one
slice, is exact; against earlier nights it is exact on the reference's values, and can miss at
most what one bin between two of them holds.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from numpy.typing import ArrayLike, NDArray

from churn_spark.monitoring.drift.distances import (
    CategoryComparison,
    Distances,
    RateChange,
    compare_categories,
    compare_rates,
    count_zeros,
    measure_distances,
    wasserstein,
)
from churn_spark.monitoring.drift.ks import (
    MISSING_BIN,
    KsComparison,
    ReferenceSample,
    SparseCounts,
    collect_bins,
    compare,
    locate_bins,
    require_bins,
    sum_sparse,
)

TRAINING, PREVIOUS, ROLLING, WEEKDAY = "training", "previous_night", "rolling_28", "same_weekday"
NOT_COMPARABLE = "not_comparable"
"""Status of what can't be compared with training rows yet: a log was too young, or had a gap."""
COMPARISONS = (TRAINING, PREVIOUS, ROLLING, WEEKDAY)
ROLLING_DAYS = 28
# Nights may be missing; one that is older than a week is not taken for the night before.
_MAX_GAP_DAYS = 7


@dataclass(frozen=True)
class NumberComparison:
    """One numeric feature against one reference.

    Attributes:
        ks: the exact test.
        distances: the measures shown beside it.
        missing: the share of rows without a value.
        zeros: share of zeros among the values; none where the reference has no zero.
    """

    ks: KsComparison
    distances: Distances
    missing: RateChange
    zeros: RateChange | None


@dataclass(frozen=True)
class LevelComparison:
    """One category against one reference.

    Attributes:
        test: of the codes.
        unseen: share of the rows whose level the model doesn't know, reference and current.
    """

    test: CategoryComparison
    unseen: tuple[float, float]


def choose_nights(run_date: date, nights: Sequence[date]) -> dict[str, list[date]]:
    """The nights that each comparison refers to; empty where there are none; all before tonight."""
    earlier = sorted(night for night in nights if night < run_date)
    newest = [n for n in earlier[-1:] if (run_date - n).days <= _MAX_GAP_DAYS]
    return {
        PREVIOUS: newest,
        ROLLING: [night for night in earlier if (run_date - night).days <= ROLLING_DAYS],
        WEEKDAY: [night for night in earlier if night == run_date - timedelta(days=7)],
    }


def compare_numbers(
    reference: ReferenceSample,
    nights: Mapping[date, SparseCounts],
    run_date: date,
    trained: SparseCounts | None = None,
) -> Iterator[tuple[str, NumberComparison]]:
    """The comparisons of a numeric feature for which there are rows.

    Args:
        reference: the training rows.
        nights: bins and counts of each night, tonight's among them.
        run_date: tonight.
        trained: the same of the training rows that belong to the slice; none: it has them all.
    """
    tonight = _sum_values(reference, [nights[run_date]])
    if trained is None:
        yield TRAINING, _compare(reference, *collect_bins(reference, *nights[run_date]))
    else:
        yield TRAINING, _compare_counts(reference, [trained], tonight)
    for name, chosen in choose_nights(run_date, list(nights)).items():
        if chosen:
            yield name, _compare_counts(reference, [nights[night] for night in chosen], tonight)


def compare_levels(
    reference: ReferenceSample,
    nights: Mapping[date, SparseCounts],
    run_date: date,
    trained: SparseCounts | None = None,
) -> Iterator[tuple[str, LevelComparison]]:
    """The same for a category.

    Args:
        reference: as of `code_reference`; its last code is that of all levels that the model
            doesn't know.
        nights: bins and counts of each night.
        run_date: tonight.
        trained: the same of the training rows that belong to the slice; none: it has them all.
    """
    other = len(reference.edges) - 1
    codes = dict(enumerate(reference.counts.tolist())) if trained is None else _sum_codes([trained])
    tonight = _sum_codes([nights[run_date]])
    yield TRAINING, _compare_codes(codes, tonight, other)
    for name, chosen in choose_nights(run_date, list(nights)).items():
        if chosen:
            past = _sum_codes([nights[night] for night in chosen])
            yield name, _compare_codes(past, tonight, other)


def code_reference(codes: NDArray[np.float64], n_levels: int) -> ReferenceSample:
    """The codes of a category in the training rows, shape (n,), as a reference of all codes.

    A code without a row has its bin too, so that every code can be counted later.
    """
    edges = np.arange(n_levels + 1, dtype=np.float64)
    counts = np.bincount(codes.astype(np.int64), minlength=n_levels + 1).astype(np.int64)
    return ReferenceSample(edges, counts, len(codes), 0)


def as_reference(
    reference: ReferenceSample, counted: SparseCounts, n_missing: int
) -> ReferenceSample:
    """Counted rows as a reference sample, each with the value that stands for its bin."""
    bins, counts = counted
    return ReferenceSample(reference.places[bins], counts, int(counts.sum()), n_missing)


def recount_for(
    part: ReferenceSample, every: ReferenceSample, bins: ArrayLike, counts: ArrayLike
) -> NDArray[np.int64]:
    """Counts in the bins of a sample as counts in those of a part of it, shape (2K+1,).

    Args:
        part: has some of the sample's values.
        every: the sample.
        bins: of the sample.
        counts: rows in each.
    """
    counted = np.asarray(bins, dtype=np.int64), np.asarray(counts, dtype=np.int64)
    values, _ = _sum_values(every, [counted])
    return _recount(2 * np.searchsorted(every.edges, part.edges) + 1, values)


def _compare(
    reference: ReferenceSample,
    bins: NDArray[np.int64],
    n_missing: int,
    moved: float | None = None,
) -> NumberComparison:
    zeros = count_zeros(reference, bins)
    values = reference.n, int(bins.sum())
    missing = reference.n_missing, n_missing
    rows = values[0] + missing[0], values[1] + missing[1]
    return NumberComparison(
        compare(reference, bins, n_missing),
        measure_distances(reference, bins, moved),
        compare_rates(missing, rows),
        compare_rates(zeros, values) if zeros else None,
    )


def _compare_counts(
    reference: ReferenceSample,
    parts: Sequence[SparseCounts],
    tonight: tuple[SparseCounts, int],
) -> NumberComparison:
    """Tonight against the sum of some counts, all of them in the reference's bins."""
    now, n_missing = tonight
    before, n_missing_before = _sum_values(reference, parts)
    earlier = as_reference(reference, before, n_missing_before)
    # Where both sides lie is known better than from the gaps of the earlier nights alone.
    moved = _move(reference, before, now)
    return _compare(earlier, _recount(before[0], now), n_missing, moved)


def _sum_values(
    reference: ReferenceSample, parts: Sequence[SparseCounts]
) -> tuple[SparseCounts, int]:
    """The sum of some counts in the bins that hold values, and the number of missing ones."""
    bins, counts = parts[0] if len(parts) == 1 else sum_sparse(*zip(*parts, strict=True))
    require_bins(reference, bins)
    # The bin of missing values is the lowest of all.
    n_missing = int(counts[bins == MISSING_BIN].sum())
    return (bins[bins != MISSING_BIN], counts[bins != MISSING_BIN]), n_missing


def _recount(edges: NDArray[np.int64], counted: SparseCounts) -> NDArray[np.int64]:
    """Counts in the reference's bins as counts in the bins of a sample that fills some of these."""
    bins, counts = counted
    recounted = np.zeros(2 * edges.size + 1, dtype=np.int64)
    np.add.at(recounted, locate_bins(edges.astype(np.float64), bins), counts)
    return recounted


def _move(reference: ReferenceSample, before: SparseCounts, now: SparseCounts) -> float:
    """W1 of two counts in the reference's bins; NaN if one is empty."""
    filled = np.union1d(before[0], now[0])
    dense = []
    for bins, counts in (before, now):
        rows = np.zeros(filled.size, dtype=np.int64)
        rows[np.searchsorted(filled, bins)] = counts
        dense.append(rows)
    return wasserstein(reference.places[filled], dense[0], dense[1])


def _compare_codes(
    before: Mapping[int, int], now: Mapping[int, int], other: int
) -> LevelComparison:
    test = compare_categories(*({str(code): n for code, n in s.items()} for s in (before, now)))
    totals = sum(before.values()), sum(now.values())
    unseen = before.get(other, 0), now.get(other, 0)
    rates = [n / total if total else math.nan for n, total in zip(unseen, totals, strict=True)]
    return LevelComparison(test, (rates[0], rates[1]))


def _sum_codes(nights: Sequence[SparseCounts]) -> dict[int, int]:
    bins, counts = sum_sparse(*zip(*nights, strict=True))
    # The bin of edge i, which is code i, is 2i + 1.
    return dict(zip((bins // 2).tolist(), counts.tolist(), strict=True))
