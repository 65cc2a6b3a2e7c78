"""What lists of several lengths lead to, against all that can happen."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from churn_spark.config import load_config
from churn_spark.config.models import CostsConfig
from churn_spark.evaluation.costs import break_even_offer
from churn_spark.evaluation.list_length import describe_interval, describe_plan, plan_lists

PLACEHOLDERS = load_config().costs
COSTS = CostsConfig(missed_cancel=40.0, wasted_offer=2.0, offer_success=0.25)
CHANCES = st.lists(st.floats(0.0, 1.0), min_size=1, max_size=60).map(
    lambda found: np.array(sorted(found, reverse=True))
)


def chances_of_counts(probabilities: np.ndarray) -> np.ndarray:
    """Of 0, 1, ... cancels, one user after the other."""
    counts = np.array([1.0])
    for one in probabilities.tolist():
        counts = np.append(counts * (1 - one), 0.0) + np.append(0.0, counts * one)
    return counts


def test_placeholders_are_those_of_the_base_configuration() -> None:
    assert PLACEHOLDERS.are_placeholders
    assert not COSTS.are_placeholders


@given(CHANCES, st.integers(1, 60))
def test_interval_holds_what_happens_in_95_of_100(probabilities: np.ndarray, chosen: int) -> None:
    plan = plan_lists(probabilities, chosen, 0, COSTS)
    assert plan is not None
    for one in plan.lists:
        counts = chances_of_counts(probabilities[: one.length])
        low, high = int(one.reached.low), int(one.reached.high)
        assert counts[low : high + 1].sum() > 0.94
        assert one.reached.value == pytest.approx(counts @ np.arange(len(counts)))
        assert one.reached.value + one.bothered.value == pytest.approx(one.length)
        assert one.bothered.low + one.reached.high == one.length


@given(CHANCES)
def test_best_length_has_the_largest_net_of_all(probabilities: np.ndarray) -> None:
    plan = plan_lists(probabilities, 3, 0, COSTS)
    assert plan is not None
    nets = [40.0 * 0.25 * probabilities[:n].sum() - 2.0 * n for n in range(61)]
    largest = max(nets[: len(probabilities) + 1])
    assert nets[plan.best] == pytest.approx(largest, abs=1e-9)
    for one in plan.lists:
        assert one.net.value == pytest.approx(nets[one.length], abs=1e-9)
        assert one.net.low - 1e-9 <= one.net.value <= one.net.high + 1e-9


@given(CHANCES, st.integers(1, 500))
def test_level_that_was_checked_on_few_cancels_widens(
    probabilities: np.ndarray, n_checked: int
) -> None:
    sure, less = (plan_lists(probabilities, 5, n, PLACEHOLDERS) for n in (0, n_checked))
    assert sure is not None
    assert less is not None
    for one, other in zip(sure.lists, less.lists, strict=True):
        assert other.reached.low <= one.reached.low
        assert other.reached.high >= one.reached.high


def test_level_of_the_probabilities_widens_by_one_over_the_cancels_it_was_checked_on() -> None:
    sure, less = (plan_lists(np.full(1000, 0.05), 100, n, PLACEHOLDERS) for n in (0, 25))
    assert sure is not None
    assert less is not None
    # 50 cancels are expected: of chance alone 1.96 x sqrt(47.5), of the level 50 / 5 more.
    assert (sure.lists[-1].reached.low, sure.lists[-1].reached.high) == (36, 64)
    assert (less.lists[-1].reached.low, less.lists[-1].reached.high) == (26, 74)


def test_lengths_are_round_with_the_list_in_use_and_everybody() -> None:
    plan = plan_lists(np.full(1234, 0.05), 137, 0, PLACEHOLDERS)
    assert plan is not None
    assert [one.length for one in plan.lists] == [10, 20, 50, 100, 137, 200, 500, 1000, 1234]
    assert plan_lists(np.array([]), 5, 0, COSTS) is None
    few = plan_lists(np.array([0.2, 0.1]), 100, 0, COSTS)
    assert few is not None
    assert [one.length for one in few.lists] == [2]


def test_list_by_effect_is_told_apart_from_one_as_long_by_value() -> None:
    plan = plan_lists(np.linspace(0.5, 0.0, 101), 10, 0, PLACEHOLDERS, by_effect=3.2)
    assert plan is not None
    told = describe_plan(plan)
    assert told.startswith(
        "Of 25 cancellations expected in total, a list of 10 users by value at risk would be "
        "expected to contain 4.8 (95 % interval 1 to 8). The list in use is by effect, has other "
        "users, and is expected to contain 3.2. To see"
    )
    assert "the list of" not in told


def test_money_is_told_only_where_somebody_has_said_what_it_costs() -> None:
    probabilities = np.linspace(0.5, 0.0, 101)
    without = plan_lists(probabilities, 10, 0, PLACEHOLDERS)
    with_costs = plan_lists(probabilities, 10, 90, COSTS)
    dear = plan_lists(probabilities, 10, 0, COSTS.model_copy(update={"wasted_offer": 9.0}))
    assert without is not None
    assert with_costs is not None
    assert dear is not None
    assert math.isnan(without.lists[0].net.value)
    assert describe_plan(without) == (
        "Of 25 cancellations expected in total, the list of 10 users is expected to contain 4.8 "
        "(95 % interval 1 to 8). "
        "To see what each length is worth, set `costs` in the configuration."
    )
    assert describe_plan(with_costs).endswith(
        "The net value is largest with 60 users: an offer is worth its cost from a probability of "
        "20.0 % upwards."
    )
    assert describe_plan(dear).endswith("No offer is worth its cost: list nobody.")
    assert "validated" not in describe_interval(without)
    assert "on 90 cancellations of users not used for training" in describe_interval(with_costs)


def test_offer_pays_up_to_what_it_saves_on_average() -> None:
    assert break_even_offer(0.8, COSTS) == pytest.approx(0.2)
