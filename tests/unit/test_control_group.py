"""The draw of the control group: its share, its stay, and that campaigns are independent."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from churn_spark.scoring.control_group import is_control

_USERS = [f"user {n}" for n in range(4000)]


@pytest.mark.parametrize("share", [0.05, 0.1, 0.5])
def test_share_of_the_users_is_withheld(share: float) -> None:
    n = sum(is_control(user, "spring", share) for user in _USERS)
    assert abs(n - share * 4000) < 4 * math.sqrt(4000 * share * (1 - share))


def test_campaigns_draw_independently() -> None:
    first, second = (
        {user for user in _USERS if is_control(user, campaign, 0.2)} for campaign in ("a", "b")
    )
    assert first != second
    assert abs(len(first & second) - 4000 * 0.04) < 4 * math.sqrt(4000 * 0.04)


@given(st.text(), st.text(min_size=1), st.floats(0, 1), st.floats(0, 1))
def test_larger_share_keeps_whom_a_smaller_one_has(
    user: str, campaign: str, first: float, second: float
) -> None:
    low, high = sorted((first, second))
    assert is_control(user, campaign, high) >= is_control(user, campaign, low)
    assert not is_control(user, campaign, 0.0)
