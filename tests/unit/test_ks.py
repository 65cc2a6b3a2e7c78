"""The exact KS core against scipy, and its laws: additive, order-free, exact at any size."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from nights import POLICY
from numpy.typing import NDArray
from scipy import stats

from bench.ks_samples import SAMPLES, compare_by_scipy, compare_samples, count_bins, count_missing
from churn_spark.monitoring.drift.ks import (
    ReferenceSample,
    benjamini_hochberg,
    build_reference,
    collect_bins,
    compare,
    locate_bins,
)
from churn_spark.monitoring.drift.p_values import MAX_EXACT_PAIRS, two_sided_p

FloatArray = NDArray[np.float64]


def assert_equals_scipy(reference: FloatArray, current: FloatArray, p_off_by: float = 0.0) -> None:
    found, expected = compare_samples(reference, current), compare_by_scipy(reference, current)
    assert found.n_baseline == np.count_nonzero(~np.isnan(reference))
    assert found.n_current == np.count_nonzero(~np.isnan(current))
    if expected is None:
        assert found.status == "skipped"
        return
    assert found.statistic == pytest.approx(expected.statistic, rel=0, abs=1e-12)
    assert found.p_value == pytest.approx(expected.pvalue, rel=1e-9, abs=p_off_by)


@settings(max_examples=500, deadline=None)
@given(SAMPLES, SAMPLES)
@example([1.0], [1.0])
@example([1.0], [2.0])
@example([-0.0], [0.0])
@example([math.nan], [0.0])
@example([math.inf, -math.inf, -math.inf], [math.inf])
@example([float(i) for i in range(211)], [float(i) for i in range(5, 202)])
def test_compare_equals_scipy_when_values_tie_or_are_missing(
    reference: list[float], current: list[float]
) -> None:
    assert_equals_scipy(np.array(reference), np.array(current))


@pytest.mark.parametrize(
    ("n", "m", "shift"),
    [
        (10_000, 10_000, 0.02),
        (9_973, 9_967, 0.05),
        (10_001, 10_000, 0.0),
        (30_011, 12_007, 0.01),
        (20_000, 20_000, 3.0),
        (1_000, 1_001, 0.06),
        (60, 20_011, 0.1),
    ],
)
def test_statistic_equals_scipy_and_p_nearly_when_samples_are_large(
    n: int, m: int, shift: float
) -> None:
    assert_equals_scipy(*draw_pair(n, m, shift), p_off_by=0.0125)


@pytest.mark.parametrize(("n", "m"), [(1_000, 1_000), (997, 1_001), (100, 9_999), (10_007, 1)])
def test_p_is_exact_when_the_samples_are_small(n: int, m: int) -> None:
    reference, current = draw_pair(n, m, 0.05)
    expected = stats.ks_2samp(reference, current, method="exact").pvalue
    assert compare_samples(reference, current).p_value == pytest.approx(expected, rel=1e-9)


def draw_pair(n: int, m: int, shift: float) -> tuple[FloatArray, FloatArray]:
    """Two normal samples, one decimal in half of the rows: ties beside values that occur once."""
    rng = np.random.default_rng(n + m)
    reference, current = rng.normal(size=n), rng.normal(shift, size=m)
    reference[: n // 2], current[: m // 2] = reference[: n // 2].round(1), 0.1
    return reference, current


@pytest.mark.parametrize(
    ("n", "m", "off_by"), [(1_000, 1_001, 0.0125), (1_100, 1_100, 0.0125), (3_000, 3_000, 0.0073)]
)
def test_p_of_large_samples_is_as_near_to_the_exact_one_as_is_said(
    n: int, m: int, off_by: float
) -> None:
    rng = np.random.default_rng(n + m)
    for shift in np.linspace(0, 3, 13) / math.sqrt(n):
        reference, current = rng.normal(size=n), rng.normal(shift, size=m)
        exact = stats.ks_2samp(reference, current, method="exact").pvalue
        found = compare_samples(reference, current).p_value
        assert found == pytest.approx(exact, abs=off_by, rel=0)
        if 0.0005 < exact < 0.1:
            assert found == pytest.approx(exact, rel=0.07)


def test_a_shift_that_the_policy_acts_on_is_never_chance_when_the_samples_are_large() -> None:
    n, m = 300, 3_334
    statistic = POLICY.enter_lower_bound + 1.358 * math.sqrt((n + m) / (n * m))
    adjusted = 100 * two_sided_p(np.array([n]), np.array([m]), statistic)
    assert n * m > MAX_EXACT_PAIRS
    assert adjusted < 0.03 < POLICY.enter_adjusted_p


@settings(max_examples=200, deadline=None)
@given(SAMPLES, SAMPLES, st.data())
def test_cells_of_parts_sum_to_cells_of_whole(
    reference: list[float], current: list[float], data: st.DataObject
) -> None:
    baseline = build_reference(reference)
    parts = data.draw(st.lists(st.integers(0, 3), min_size=len(current), max_size=len(current)))
    split = [np.array(current)[np.array(parts) == part] for part in range(4)]
    whole = count_bins(baseline, current)
    np.testing.assert_array_equal(sum(count_bins(baseline, part) for part in split), whole)
    assert sum(count_missing(part) for part in split) == count_missing(current)
    assert whole.sum() + count_missing(current) == len(current)


@settings(max_examples=200, deadline=None)
@given(SAMPLES, SAMPLES, st.integers(0, 99))
def test_order_of_rows_changes_nothing(
    reference: list[float], current: list[float], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    first = compare_samples(np.array(reference), np.array(current))
    again = compare_samples(rng.permutation(reference), rng.permutation(current))
    # repr, because NaN differs from itself.
    assert repr(first) == repr(again)
    edges = build_reference(reference).edges
    assert edges.tobytes() == build_reference(rng.permutation(reference)).edges.tobytes()


@settings(max_examples=200, deadline=None)
@given(SAMPLES, st.integers(1, 7))
def test_statistic_is_exactly_zero_when_data_is_repeated(values: list[float], times: int) -> None:
    found = compare_samples(np.array(values), np.tile(values, times))
    if found.status == "ok":
        assert (found.statistic, found.p_value, found.lower_bound) == (0.0, 1.0, 0.0)
        assert found.direction == "none"
        assert math.isnan(found.location)


@pytest.mark.filterwarnings("error")
def test_no_warning_when_scipy_falls_back_to_asymptotic() -> None:
    values = np.arange(60.0)
    found = compare_samples(values, values + 2)
    assert found.p_value == pytest.approx(1.0)


def test_identical_data_has_p_of_one_when_asymptotic() -> None:
    values = np.random.default_rng(0).normal(size=20_011)
    found = compare_samples(values, values)
    assert (found.statistic, found.p_value) == (0.0, 1.0)


def test_baseline_holds_distinct_values_and_counts() -> None:
    baseline = build_reference([0.0, math.nan, -0.0, math.inf, -math.inf, math.inf])
    np.testing.assert_array_equal(baseline.edges, [-math.inf, 0.0, math.inf])
    np.testing.assert_array_equal(baseline.counts, [1, 2, 2])
    assert (baseline.n, baseline.n_missing) == (5, 1)
    assert not np.signbit(build_reference([-0.0]).edges[0])


def test_cells_alternate_between_gaps_and_values() -> None:
    baseline = build_reference([1.0, 2.0])
    values = [math.nan, 9.0, 2.0, 1.5, 1.0, 1.0, 0.0, math.inf]
    np.testing.assert_array_equal(locate_bins(baseline.edges, values), [0, 1, 1, 2, 3, 4, 4, -1])
    np.testing.assert_array_equal(count_bins(baseline, values), [1, 2, 1, 1, 2])


@pytest.mark.parametrize(
    ("current", "direction", "location"),
    [([2.0, 3.0, 3.0, 4.0], "higher", 2.0), ([0.0, 0.0, 0.0, 3.0], "lower", 1.0)],
)
def test_direction_and_location_when_current_moves(
    current: list[float], direction: str, location: float
) -> None:
    found = compare_samples(np.array([1.0, 2.0, 3.0, 4.0, 1.0, 2.0]), np.array(current))
    assert (found.direction, found.location) == (direction, location)


def test_missing_rates_and_lower_bound_when_a_night_is_shifted() -> None:
    found = compare_samples(np.array([0.0] * 300 + [math.nan] * 100), np.ones(300))
    assert (found.missing_rate_baseline, found.missing_rate_current) == (0.25, 0.0)
    assert found.statistic == 1.0
    assert found.lower_bound == pytest.approx(1 - 1.358 * math.sqrt(600 / 90_000))
    # The night has other numbers than the reference.
    few = compare_samples(np.zeros(300), np.ones(100))
    assert few.lower_bound == pytest.approx(1 - 1.358 * math.sqrt(400 / 30_000))


@pytest.mark.parametrize(("reference", "current"), [([], [1.0]), ([1.0], []), ([], [])])
def test_comparison_is_skipped_when_a_sample_is_empty(
    reference: list[float], current: list[float]
) -> None:
    found = compare_samples(np.array([*reference, math.nan]), np.array([*current, math.nan]))
    assert found.status == "skipped"
    assert math.isnan(found.statistic)
    assert math.isnan(found.p_value)
    assert found.missing_rate_current == 1 / (1 + len(current))


def test_statistic_is_exact_when_the_product_overflows() -> None:
    n, m = 6_000_000_000, 5_000_000_000
    edges = np.array([0.0, 1.0, 2.0])
    baseline = ReferenceSample(edges, np.array([n // 2, n // 2 - 1, 1]), n, 0)
    cells = np.array([0, 1, 0, m - 1, 0, 0, 0])
    found = compare(baseline, cells, 0)
    assert found.statistic == (n // 2 * m - n) / (n * m)
    assert (found.direction, found.location, found.p_value) == ("higher", 0.0, 0.0)


def test_collected_rows_rebuild_the_vector_of_two_nights() -> None:
    baseline = build_reference([1.0, 2.0])
    cells, n_missing = collect_bins(baseline, [4, -1, 1, 4, -1], [7, 2, 5, 1, 1])
    np.testing.assert_array_equal(cells, [0, 5, 0, 0, 8])
    assert n_missing == 3


@pytest.mark.parametrize(("cell", "n"), [([5], [1]), ([-2], [1]), ([0, 1], [1])])
def test_collect_bins_refuses_rows_of_another_reference(cell: list[int], n: list[int]) -> None:
    with pytest.raises(ValueError, match=r"found bins|have shapes"):
        collect_bins(build_reference([1.0, 2.0]), cell, n)


@pytest.mark.parametrize("cells", [[1, 2], [1, -1, 2]])
def test_compare_refuses_counts_that_do_not_fit(cells: list[int]) -> None:
    with pytest.raises(ValueError, match="expected"):
        compare(build_reference([1.0]), np.array(cells), 0)


def naive_adjusted(p_values: list[float]) -> list[float]:
    """Benjamini-Hochberg by its definition: the least p_(j) * n / j over all j at or above."""
    tested = sorted(p for p in p_values if not math.isnan(p))
    steps = [min(1.0, p * len(tested) / (rank + 1)) for rank, p in enumerate(tested)]
    return [math.nan if math.isnan(p) else min(steps[tested.index(p) :]) for p in p_values]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.one_of(st.floats(0, 1), st.sampled_from([0.0, 0.01, 1.0, math.nan]))))
@example([math.nan, math.nan])
def test_benjamini_hochberg_equals_its_definition(p_values: list[float]) -> None:
    np.testing.assert_allclose(
        benjamini_hochberg(p_values), naive_adjusted(p_values), rtol=1e-12, atol=0
    )


def test_benjamini_hochberg_refuses_what_is_no_probability() -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        benjamini_hochberg([0.5, 1.5])
