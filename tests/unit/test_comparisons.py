"""Tonight's counts against the training rows and earlier nights, beside scipy on the values."""

from __future__ import annotations

import math
from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from churn_spark.monitoring.drift.comparisons import (
    COMPARISONS,
    PREVIOUS,
    ROLLING,
    TRAINING,
    WEEKDAY,
    as_reference,
    choose_nights,
    code_reference,
    compare_levels,
    compare_numbers,
)
from churn_spark.monitoring.drift.ks import (
    SparseCounts,
    build_reference,
    locate_bins,
    place_bins,
)

TONIGHT = date(2024, 3, 31)


def before(days: int) -> date:
    return TONIGHT - timedelta(days=days)


def counted(edges: np.ndarray, values: np.ndarray) -> SparseCounts:
    cells, counts = np.unique(locate_bins(edges, values), return_counts=True)
    return cells, counts.astype(np.int64)


def test_nights_of_each_comparison_lie_before_tonight() -> None:
    nights = [TONIGHT, *(before(days) for days in (-1, 1, 2, 7, 28, 29))]
    assert choose_nights(TONIGHT, nights) == {
        PREVIOUS: [before(1)],
        ROLLING: [before(28), before(7), before(2), before(1)],
        WEEKDAY: [before(7)],
    }


def test_previous_night_may_be_missing_for_a_week_and_not_longer() -> None:
    assert choose_nights(TONIGHT, [before(7)])[PREVIOUS] == [before(7)]
    assert choose_nights(TONIGHT, [before(8)])[PREVIOUS] == []


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 60))
def test_counts_of_whole_numbers_compare_as_the_numbers_do(seed: int, n_values: int) -> None:
    rng = np.random.default_rng(seed)
    training = np.append(np.arange(n_values + 3), rng.integers(0, n_values, 200)).astype(float)
    values = {before(days): rng.integers(0, n_values + 3, 120) * 1.0 for days in (0, 1, 7, 20)}
    baseline = build_reference(training)
    nights = {night: counted(baseline.edges, sample) for night, sample in values.items()}
    found = dict(compare_numbers(baseline, nights, TONIGHT))
    references = {
        TRAINING: training,
        PREVIOUS: values[before(1)],
        ROLLING: np.concatenate([values[before(days)] for days in (20, 7, 1)]),
        WEEKDAY: values[before(7)],
    }
    assert tuple(found) == COMPARISONS
    for name, reference in references.items():
        expected = stats.ks_2samp(reference, values[TONIGHT])
        test, distances = found[name].ks, found[name].distances
        assert test.statistic == pytest.approx(expected.statistic, abs=1e-12)
        assert test.p_value == pytest.approx(expected.pvalue, rel=1e-9)
        assert distances.wasserstein == pytest.approx(
            stats.wasserstein_distance(reference, values[TONIGHT]), abs=1e-9
        )
        zeros = found[name].zeros
        if zeros:
            rates = np.mean(reference == 0), np.mean(values[TONIGHT] == 0)
            assert (zeros.reference, zeros.current) == rates


def test_distance_to_a_night_misses_at_most_what_one_cell_holds() -> None:
    rng = np.random.default_rng(3)
    baseline = build_reference(rng.normal(size=500))
    old, new = rng.normal(size=400), rng.normal(0.3, 1, 400)
    nights = {before(1): counted(baseline.edges, old), TONIGHT: counted(baseline.edges, new)}
    found = dict(compare_numbers(baseline, nights, TONIGHT))[PREVIOUS].ks
    exact = stats.ks_2samp(old, new).statistic
    largest = max(counts.max() for _, counts in nights.values()) / 400
    assert exact - largest <= found.statistic <= exact


def test_equal_nights_do_not_differ_at_all() -> None:
    sample = np.random.default_rng(4).normal(size=300)
    baseline = build_reference(sample)
    nights = {before(days): counted(baseline.edges, sample) for days in (0, 1, 7)}
    for _, found in compare_numbers(baseline, nights, TONIGHT):
        assert (found.ks.statistic, found.ks.p_value) == (0.0, 1.0)
        assert found.distances.psi == found.distances.wasserstein == 0.0
        assert found.distances.jensen_shannon == 0.0


def test_missing_values_are_rates_and_no_values() -> None:
    baseline = build_reference([1.0, 2.0, math.nan])
    nights = {
        before(1): counted(baseline.edges, np.array([1.0, math.nan, math.nan])),
        TONIGHT: counted(baseline.edges, np.array([math.nan])),
    }
    found = dict(compare_numbers(baseline, nights, TONIGHT))
    assert found[PREVIOUS].ks.status == "skipped"
    assert found[PREVIOUS].ks.missing_rate_baseline == pytest.approx(2 / 3)
    assert found[TRAINING].ks.missing_rate_current == 1.0
    assert found[TRAINING].missing.difference == pytest.approx(2 / 3)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10**6))
def test_slice_is_compared_with_its_own_training_rows(seed: int) -> None:
    rng = np.random.default_rng(seed)
    sample, is_paid = rng.normal(size=300), rng.random(300) < 0.3
    tonight = np.append(rng.normal(0.5, 1, 80), sample[:5])
    baseline = build_reference(sample)
    nights = {TONIGHT: counted(baseline.edges, tonight)}
    trained = counted(baseline.edges, sample[is_paid])
    found = dict(compare_numbers(baseline, nights, TONIGHT, trained))[TRAINING].ks
    expected = stats.ks_2samp(sample[is_paid], tonight)
    assert found.statistic == pytest.approx(expected.statistic, abs=1e-12)
    assert found.p_value == pytest.approx(expected.pvalue, rel=1e-9)


def test_slice_without_a_training_row_is_skipped() -> None:
    nothing = np.zeros(0, np.int64), np.zeros(0, np.int64)
    baseline = build_reference([1.0, 2.0])
    nights = {TONIGHT: counted(baseline.edges, np.array([1.0, 3.0]))}
    found = dict(compare_numbers(baseline, nights, TONIGHT, nothing))[TRAINING].ks
    assert (found.status, found.n_baseline, found.n_current) == ("skipped", 0, 2)
    codes = code_reference(np.array([0.0, 1.0]), 1)
    nights = {TONIGHT: counted(codes.edges, np.array([1.0]))}
    level = dict(compare_levels(codes, nights, TONIGHT, nothing))[TRAINING].test
    assert (level.n_baseline, level.n_current) == (0, 1)


@given(st.lists(st.floats(allow_nan=False), min_size=1, max_size=20))
def test_each_place_lies_in_its_cell(values: list[float]) -> None:
    baseline = build_reference(values)
    places = place_bins(baseline.edges)
    # Where two floats are neighbours nothing lies between them, nor beyond an infinity.
    is_possible = np.ones(len(places), dtype=bool)
    is_possible[2:-1:2] = np.nextafter(baseline.edges[:-1], np.inf) < baseline.edges[1:]
    is_possible[0] = baseline.edges[0] > -math.inf
    is_possible[-1] = baseline.edges[-1] < math.inf
    for cell in np.flatnonzero(is_possible):
        assert locate_bins(baseline.edges, places[cell : cell + 1]).tolist() == [cell]


def test_a_night_is_a_baseline_of_its_own() -> None:
    baseline = build_reference([1.0, 3.0])
    cells = counted(baseline.edges, np.array([0.0, 1.0, 1.0, 2.0, 9.0]))
    found = as_reference(baseline, cells, 4)
    assert found.counts.tolist() == [1, 2, 1, 1]
    assert found.edges[1:3].tolist() == [1.0, 2.0]
    assert (found.n, found.n_missing) == (5, 4)


def test_categories_compare_by_level_and_by_what_the_model_does_not_know() -> None:
    baseline = code_reference(np.array([0.0] * 60 + [1.0] * 30 + [2.0] * 10), 2)
    night = np.array([0.0] * 50 + [2.0] * 50)
    nights = {
        TONIGHT: counted(baseline.edges, night),
        before(1): counted(baseline.edges, night[:60]),
    }
    found = dict(compare_levels(baseline, nights, TONIGHT))
    against_training = found[TRAINING]
    expected = stats.chi2_contingency([[60, 30, 10], [50, 0, 50]], correction=False)
    assert against_training.test.chi_square == pytest.approx(expected.statistic)
    assert against_training.test.total_variation == pytest.approx(0.4)
    assert against_training.unseen == (0.1, 0.5)
    assert found[PREVIOUS].unseen == (pytest.approx(1 / 6), 0.5)


def test_level_without_a_training_row_has_a_code_of_its_own() -> None:
    baseline = code_reference(np.array([0.0, 0.0]), 3)
    assert baseline.counts.tolist() == [2, 0, 0, 0]
    nights = {TONIGHT: counted(baseline.edges, np.array([2.0, 3.0]))}
    found = dict(compare_levels(baseline, nights, TONIGHT))[TRAINING]
    assert found.test.total_variation == 1.0
    assert found.unseen == (0.0, 0.5)


def test_nights_counted_against_another_reference_are_refused() -> None:
    baseline = build_reference([1.0, 3.0])
    night = np.array([1, 5]), np.array([2, 2])
    with pytest.raises(ValueError, match="another reference"):
        dict(compare_numbers(baseline, {TONIGHT: night}, TONIGHT))
    nights = {TONIGHT: counted(baseline.edges, np.array([1.0])), before(1): night}
    with pytest.raises(ValueError, match="another reference"):
        dict(compare_numbers(baseline, nights, TONIGHT))
