"""Who stayed how long: the estimate against a product in plain Python."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from churn_spark.evaluation.kaplan_meier import observe_staying

USERS = st.lists(
    st.tuples(
        st.one_of(st.just(math.inf), st.integers(0, 30).map(lambda day: day + 0.5)),
        st.integers(1, 30).map(float),
    ),
    min_size=1,
    max_size=40,
)


def product_limit(users: list[tuple[float, float]], day: float) -> float:
    """Of those still watched at each cancellation, the share that doesn't cancel."""
    staying = 1.0
    seen = sorted({cancelled for cancelled, watched in users if cancelled < watched})
    for at in (one for one in seen if one <= day):
        at_risk = sum(min(cancelled, watched) >= at for cancelled, watched in users)
        cancels = sum(cancelled == at < watched for cancelled, watched in users)
        staying *= 1 - cancels / at_risk
    return staying


@given(USERS, st.integers(0, 30))
def test_share_that_stays_is_the_product_over_the_cancels(
    users: list[tuple[float, float]], day: int
) -> None:
    cancelled, watched = (np.array(values) for values in zip(*users, strict=True))
    found = observe_staying(cancelled, watched)
    assert found.n_cancels == sum(one < other for one, other in users)
    if day > watched.max():
        assert math.isnan(found.at(day).value)
        return
    seen = found.at(day)
    assert seen.value == pytest.approx(product_limit(users, day), abs=1e-9)
    if not math.isnan(seen.low):
        assert seen.low - 1e-9 <= seen.value <= seen.high + 1e-9


def test_cancel_when_the_watch_ends_was_not_seen() -> None:
    found = observe_staying(np.array([5.0, 4.0, math.inf]), np.array([5.0, 9.0, 9.0]))
    assert found.n_cancels == 1


def test_interval_narrows_with_users_and_holds_the_truth() -> None:
    rng, widths, held = np.random.default_rng(2), [], []
    for n in (100, 10_000):
        for _ in range(100):
            watched = rng.integers(20, 60, n).astype(float)
            found = observe_staying(rng.exponential(50.0, n), watched)
            seen = found.at(19)
            held.append(seen.low <= math.exp(-19 / 50) <= seen.high)
        widths.append(seen.high - seen.low)
    assert widths[1] < widths[0] / 5
    assert np.mean(held) > 0.9


def test_nobody_is_refused() -> None:
    with pytest.raises(ValueError, match="nobody was watched"):
        observe_staying(np.array([]), np.array([]))
