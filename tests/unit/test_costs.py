"""The cost view against counting one by one."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from churn_spark.config import CostsConfig
from churn_spark.evaluation.costs import (
    break_even_probability,
    capacity_threshold,
    cheapest_threshold,
    compare_policies,
    cost_curve,
)

Rows = list[tuple[int, float]]

# Tenths collide often; whole costs and quarters keep every sum exact, so that ties are ties.
ROWS = st.lists(
    st.tuples(st.integers(0, 1), st.integers(0, 10).map(lambda n: n / 10)), min_size=1, max_size=30
)
COSTS = st.builds(
    CostsConfig,
    missed_cancel=st.integers(1, 20).map(float),
    wasted_offer=st.integers(1, 8).map(float),
    offer_success=st.sampled_from([0.25, 0.5, 1.0]),
)
TEN_TO_ONE = CostsConfig(missed_cancel=10, wasted_offer=1, offer_success=1)


def columns(rows: Rows) -> tuple[np.ndarray, np.ndarray]:
    return np.array([label for label, _ in rows]), np.array([p for _, p in rows], dtype=float)


def cost_of(rows: Rows, threshold: float, costs: CostsConfig) -> float:
    total = 0.0
    for label, probability in rows:
        is_contacted = probability >= threshold
        total += costs.wasted_offer if is_contacted else 0
        if label:
            lost = 1 - costs.offer_success if is_contacted else 1
            total += costs.missed_cancel * lost
    return total


def every_threshold(rows: Rows) -> list[float]:
    return [math.inf, *sorted({p for _, p in rows}, reverse=True)]


@settings(max_examples=200, deadline=None)
@given(rows=ROWS, costs=COSTS)
def test_curve_is_the_cost_of_every_distinct_threshold(rows: Rows, costs: CostsConfig) -> None:
    curve = cost_curve(*columns(rows), costs)
    assert list(curve.thresholds) == every_threshold(rows)
    expected = [cost_of(rows, t, costs) / len(rows) for t in every_threshold(rows)]
    assert list(curve.costs) == pytest.approx(expected)
    assert list(curve.n_contacted) == [sum(p >= t for _, p in rows) for t in every_threshold(rows)]


@settings(max_examples=300, deadline=None)
@given(rows=ROWS, costs=COSTS)
def test_cheapest_threshold_is_the_highest_of_the_cheapest(rows: Rows, costs: CostsConfig) -> None:
    thresholds = every_threshold(rows)
    lowest = min(cost_of(rows, t, costs) for t in thresholds)
    expected = max(t for t in thresholds if cost_of(rows, t, costs) == lowest)
    assert cheapest_threshold(*columns(rows), costs) == expected


@settings(max_examples=200, deadline=None)
@given(n_by_tenth=st.lists(st.integers(0, 5), min_size=11, max_size=11).filter(any), costs=COSTS)
def test_break_even_is_the_cheapest_when_probabilities_are_the_shares(
    n_by_tenth: list[int], costs: CostsConfig
) -> None:
    # Groups of ten users of which exactly p cancel: nothing can beat the closed form.
    rows = [
        (int(user < tenths), tenths / 10)
        for tenths, n_groups in enumerate(n_by_tenth)
        for user in range(10)
        for _ in range(n_groups)
    ]
    lowest = min(cost_of(rows, t, costs) for t in every_threshold(rows))
    # A hair below, so that 0.3 as a quotient and as a literal are the same probability.
    closed_form = break_even_probability(costs) - 1e-12
    assert cost_of(rows, closed_form, costs) == pytest.approx(lowest)


@settings(max_examples=200, deadline=None)
@given(rows=ROWS, share=st.sampled_from([0.05, 0.1, 0.33, 0.5, 1.0]))
def test_capacity_is_used_as_far_as_equal_probabilities_allow(rows: Rows, share: float) -> None:
    threshold = capacity_threshold(columns(rows)[1], share)
    allowed = [
        t for t in every_threshold(rows) if sum(p >= t for _, p in rows) <= share * len(rows)
    ]
    assert threshold == min(allowed)


def test_last_row_of_the_capacity_is_not_lost_to_rounding() -> None:
    probabilities = np.arange(100) / 100
    assert (probabilities >= capacity_threshold(probabilities, 0.29)).sum() == 29


def test_no_offer_pays_when_it_costs_more_than_it_can_save() -> None:
    costs = CostsConfig(missed_cancel=2, wasted_offer=3, offer_success=1)
    assert break_even_probability(costs) == 1.5
    assert cheapest_threshold(np.array([1, 0]), np.array([1.0, 0.0]), costs) == math.inf


def policies_of(rows: Rows, costs: CostsConfig, users: list[str] | None = None) -> dict:
    labels, probabilities = columns(rows)
    names = np.array(users or [str(row) for row in range(len(rows))])
    found = compare_policies(labels, probabilities, names, costs, [0.25])
    return {policy.name: policy for policy in found}


def test_policies_of_four_users_worked_out_by_hand() -> None:
    found = policies_of([(1, 0.9), (0, 0.8), (1, 0.05), (0, 0.01)], TEN_TO_ONE)
    assert {name: policy.cost for name, policy in found.items()} == {
        "nobody": 5000,  # two lost: 20 on four rows
        "everybody": 1000,  # four offers
        "break_even": 3000,  # two offers, one lost: 12
        "capacity 25 %": 2750,  # one offer, one lost: 11
        "f1": 750,  # from .05: three offers, none lost
        "cheapest": 750,
    }
    assert found["capacity 25 %"].saved_on_nobody.value == 2250
    assert found["capacity 25 %"].saved_on_everybody.value == -1750
    assert (found["break_even"].n_contacted, found["break_even"].n_reached) == (2, 1)
    assert [p.name for p in found.values() if p.is_hindsight] == ["f1", "cheapest"]


@settings(max_examples=20, deadline=None)
@given(rows=ROWS, costs=COSTS)
def test_savings_are_differences_of_costs(rows: Rows, costs: CostsConfig) -> None:
    found = policies_of(rows, costs)
    for policy in found.values():
        saved = found["nobody"].cost - policy.cost, found["everybody"].cost - policy.cost
        assert policy.saved_on_nobody.value == pytest.approx(saved[0], abs=1e-6)
        assert policy.saved_on_everybody.value == pytest.approx(saved[1], abs=1e-6)


def test_interval_holds_the_saving_and_widens_when_rows_share_a_user() -> None:
    generator = np.random.default_rng(3)
    probabilities = generator.beta(1, 9, 400)
    labels = (generator.random(400) < probabilities).astype(int)
    rows = list(zip(labels.tolist(), probabilities.tolist(), strict=True))
    alone = policies_of(rows, TEN_TO_ONE)["everybody"].saved_on_nobody
    by_label = sorted(range(400), key=lambda row: rows[row])
    shared = {row: str(place // 8) for place, row in enumerate(by_label)}
    together = policies_of(rows, TEN_TO_ONE, [shared[row] for row in range(400)])
    grouped = together["everybody"].saved_on_nobody
    assert alone.low < alone.value < alone.high
    assert grouped.high - grouped.low > 1.5 * (alone.high - alone.low)


def test_interval_is_unknown_when_there_is_one_user() -> None:
    found = policies_of([(1, 0.9), (0, 0.1)], TEN_TO_ONE, ["a", "a"])
    assert math.isnan(found["everybody"].saved_on_nobody.low)
