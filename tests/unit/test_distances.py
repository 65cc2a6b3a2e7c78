"""Distances from cells against scipy on the raw values."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.spatial.distance import jensenshannon

from bench.ks_samples import count_bins
from churn_spark.monitoring.drift.distances import (
    compare_categories,
    compare_rates,
    count_in_tenths,
    count_zeros,
    measure_distances,
    population_stability_index,
)
from churn_spark.monitoring.drift.ks import build_reference

_VALUES = st.one_of(
    st.lists(st.integers(-3, 3).map(float), min_size=1, max_size=80),
    st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=80),
)


@settings(max_examples=300, deadline=None)
@given(_VALUES, _VALUES)
def test_bins_equal_those_of_the_raw_values(reference: list[float], current: list[float]) -> None:
    baseline = build_reference(reference)
    expected, found = count_in_tenths(baseline, count_bins(baseline, current))
    ordered = sorted(reference)
    ends = {ordered[math.ceil(len(ordered) * k / 10) - 1] for k in range(1, 10)} - {ordered[-1]}
    bounds = [-math.inf, *sorted(ends), math.inf]
    for values, counts in ((reference, expected), (current, found)):
        by_hand = [sum(low < v <= high for v in values) for low, high in pairwise(bounds)]
        assert counts.tolist() == by_hand
    assert expected.min() > 0


def test_measures_equal_scipy_on_the_same_bins() -> None:
    rng = np.random.default_rng(1)
    baseline = build_reference(rng.normal(size=4000))
    cells = count_bins(baseline, rng.normal(0.3, 1.2, size=3000))
    expected, found = count_in_tenths(baseline, cells)
    p, q = expected / 4000, found / 3000
    distances = measure_distances(baseline, cells)
    assert distances.psi == pytest.approx(stats.entropy(p, q) + stats.entropy(q, p))
    assert distances.psi_corrected == pytest.approx(distances.psi - 9 * (1 / 4000 + 1 / 3000))
    assert distances.jensen_shannon == pytest.approx(jensenshannon(p, q, base=2))
    assert distances.n_tenths == 10


def test_corrected_index_is_zero_on_average_without_drift() -> None:
    rng = np.random.default_rng(2)
    raw, corrected = [], []
    for _ in range(300):
        baseline = build_reference(rng.normal(size=800))
        found = measure_distances(baseline, count_bins(baseline, rng.normal(size=500)))
        raw.append(found.psi)
        corrected.append(found.psi_corrected)
    assert np.mean(raw) > 0.02
    assert abs(np.mean(corrected)) < 4 * np.std(corrected) / math.sqrt(300)


@settings(max_examples=300, deadline=None)
@given(_VALUES, _VALUES)
def test_wasserstein_is_off_by_half_a_gap_at_most(
    reference: list[float], current: list[float]
) -> None:
    baseline = build_reference(reference)
    found = measure_distances(baseline, count_bins(baseline, current)).wasserstein
    inside = np.clip(current, min(reference), max(reference))
    exact = stats.wasserstein_distance(reference, inside)
    at = np.searchsorted(baseline.edges, inside)
    width = baseline.edges[at] - baseline.edges[np.maximum(at - 1, 0)]
    allowed = float(np.where(baseline.edges[at] == inside, 0.0, width / 2).mean())
    assert abs(found - exact) <= allowed + 1e-6


def test_wasserstein_is_nearly_exact_with_many_values() -> None:
    rng = np.random.default_rng(3)
    reference, current = rng.normal(size=20_000), rng.normal(0.2, 1, size=20_000)
    baseline = build_reference(reference)
    found = measure_distances(baseline, count_bins(baseline, current)).wasserstein
    assert found == pytest.approx(stats.wasserstein_distance(reference, current), abs=2e-4)


@pytest.mark.parametrize(("reference", "current"), [([], [1.0]), ([1.0], [])])
def test_distances_are_no_numbers_when_a_side_has_no_value(
    reference: list[float], current: list[float]
) -> None:
    baseline = build_reference(np.array(reference))
    found = measure_distances(baseline, count_bins(baseline, np.array(current)))
    assert math.isnan(found.psi)
    assert found.n_tenths == 0


def test_wasserstein_is_no_number_when_a_value_is_infinite() -> None:
    baseline = build_reference([1.0, math.inf])
    found = measure_distances(baseline, count_bins(baseline, [1.0]))
    assert math.isnan(found.wasserstein)
    assert found.psi > 0


def test_index_is_finite_and_large_when_a_bin_is_empty() -> None:
    assert 1 < population_stability_index(np.array([50, 50]), np.array([100, 0])) < 10


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 400), st.integers(0, 400), st.integers(1, 400), st.integers(1, 400))
def test_rate_test_equals_scipy(k: int, j: int, more_k: int, more_j: int) -> None:
    n, m = k + more_k, j + more_j
    found = compare_rates((k, j), (n, m))
    table = np.array([[k, more_k], [j, more_j]])
    if k + j and stats.contingency.expected_freq(table).min() >= 5:
        expected = stats.chi2_contingency(table, correction=False).pvalue
    else:
        expected = stats.fisher_exact(table).pvalue
    assert found.p_value == pytest.approx(expected, rel=1e-9, abs=1e-300)
    assert found.difference == pytest.approx(j / m - k / n)


def test_rate_is_no_number_without_rows_and_refused_when_impossible() -> None:
    found = compare_rates((0, 3), (0, 4))
    assert (math.isnan(found.reference), found.current) == (True, 0.75)
    assert math.isnan(found.p_value)
    with pytest.raises(ValueError, match="expected at most as many"):
        compare_rates((5, 0), (4, 1))


def test_zeros_are_counted_where_the_baseline_knows_zero() -> None:
    baseline = build_reference([-1.0, 0.0, -0.0, 2.0])
    assert count_zeros(baseline, count_bins(baseline, [0.0, 0.0, -0.0, 1.0])) == (2, 3)
    for values in ([1.0, 2.0], [-2.0, -1.0]):
        other = build_reference(values)
        assert count_zeros(other, count_bins(other, [0.0])) is None


def test_zero_inflation_below_what_ks_sees_is_found() -> None:
    # 3 % of 22,000 rows become 0: D is .03, under the entry threshold of .045 plus .013.
    found = compare_rates((2200, 2860), (22_000, 22_000))
    assert found.difference == pytest.approx(0.03)
    assert found.p_value < 1e-9


def test_categories_equal_scipy_when_values_come_and_go() -> None:
    found = compare_categories({"A": 500, "B": 400, "C": 100}, {"A": 200, "B": 150, "D": 150})
    table = [[500, 400, 100, 0], [200, 150, 0, 150]]
    expected = stats.chi2_contingency(table, correction=False)
    assert (found.chi_square, found.p_value) == pytest.approx(expected[:2])
    assert found.total_variation == pytest.approx((0.1 + 0.1 + 0.1 + 0.3) / 2)
    assert (found.n_baseline, found.n_current) == (1000, 500)


def test_lower_bound_of_the_variation_is_wrong_in_one_of_twenty_at_most() -> None:
    rng = np.random.default_rng(5)
    before, now = np.array([0.5, 0.3, 0.2]), np.array([0.4, 0.3, 0.3])
    n_above = 0
    for _ in range(400):
        first, second = rng.multinomial(3000, before), rng.multinomial(2000, now)
        found = compare_categories(dict(zip("ABC", first)), dict(zip("ABC", second)))  # noqa: B905
        n_above += found.lower_bound > 0.1
        assert 0 <= found.lower_bound < found.total_variation
    assert n_above <= 20
    assert compare_categories({"A": 5, "B": 5}, {"A": 5, "B": 5}).lower_bound == 0.0


def test_rare_values_are_one_in_the_test() -> None:
    rare = {f"r{i}": 1 for i in range(20)}
    found = compare_categories({"A": 500, "B": 480, **rare}, {"A": 505, "B": 495})
    table = [[500, 480, 20], [505, 495, 0]]
    assert found.p_value == pytest.approx(stats.chi2_contingency(table, correction=False).pvalue)


def test_nothing_is_told_apart_when_there_is_one_value_or_no_row() -> None:
    assert compare_categories({"A": 5}, {"A": 9}).p_value == 1.0
    found = compare_categories({"A": 5, "gone": 0}, {})
    assert math.isnan(found.p_value)
    assert (found.n_baseline, found.n_current) == (5, 0)
