"""The list's knobs, and the figures of how much of it stays."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from churn_spark.config import MAX_LISTED, load_config
from churn_spark.errors import ConfigError
from churn_spark.scoring.retention_list import Stability


@pytest.mark.parametrize("capacity", [1, 100_000, 0.5, 0.001])
def test_capacity_is_a_number_of_people_or_a_share(capacity: float) -> None:
    found = load_config(overrides=[f"retention_list.capacity={capacity}"]).retention_list.capacity
    assert (found, type(found)) == (capacity, type(capacity))


def test_capacity_may_be_a_whole_number_with_a_point() -> None:
    assert load_config(overrides=["retention_list.capacity=100.0"]).retention_list.capacity == 100


@pytest.mark.parametrize(
    "override",
    [
        "retention_list.capacity=0",
        "retention_list.capacity=1.5",
        f"retention_list.capacity={MAX_LISTED + 1}",
        "retention_list.value_by_level={paid: -1}",
        "retention_list.quiet_days=-1",
        "retention_list.min_drop=1",
    ],
)
def test_list_is_refused_when_a_knob_is_out_of_range(override: str) -> None:
    with pytest.raises(ConfigError, match=r"invalid configuration: retention_list\."):
        load_config(overrides=[override])


def test_capacity_says_once_what_it_may_be() -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(overrides=["retention_list.capacity=-3"])
    assert str(caught.value) == (
        "invalid configuration: retention_list.capacity: expected a number of users from "
        "1 to 100,000, or a share of the scored between 0 and 1 (found -3). All keys are in "
        "conf/base.yaml"
    )


def test_prices_are_not_made_up() -> None:
    assert set(load_config().retention_list.value_by_level.values()) == {1.0}


@given(now=st.sets(st.integers(0, 9)), before=st.sets(st.integers(0, 9)))
def test_stability_is_that_of_the_sets(now: set[int], before: set[int]) -> None:
    found = Stability(len(now), len(before), len(now & before))
    assert found.share_kept * len(before) == pytest.approx(len(now & before))


def test_stability_is_told_in_one_line() -> None:
    told = Stability(50, 50, 40).describe()
    assert told == "40 of 50 users of the previous list still on it (80%)"
    assert Stability(50, None, 0).describe() == "no earlier list"
    assert Stability(50, 0, 0).describe() == "nobody on the previous list"


def test_old_name_of_the_section_is_refused_with_the_new_one() -> None:
    with pytest.raises(ConfigError, match=r"list: renamed, say retention_list instead\. All keys"):
        load_config(overrides=["list.capacity=3"])


@pytest.mark.parametrize(
    ("fees", "unit"),
    [
        ("{paid: 1, free: 0}", "monthly fees"),
        ("{paid: 9.99, free: 0}", "the currency of the fees"),
    ],
)
def test_value_at_risk_has_a_unit(fees: str, unit: str) -> None:
    found = load_config(overrides=[f"retention_list.value_by_level={fees}"])
    assert found.retention_list.value_unit == unit
