"""Entering is harder than staying: features, nights and windows against plain state machines."""

from __future__ import annotations

import math
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nights import DRIFTED, POLICY, QUIET, START, change, fact, night, run

from churn_spark.monitoring.policy.calibration import lines_of
from churn_spark.monitoring.policy.hysteresis import (
    breached_share,
    is_entering,
    is_surely_worse,
    update_breached,
    update_streaks,
)
from churn_spark.monitoring.policy.policy_state import Streak


@given(st.lists(st.sampled_from([0.0, 0.034, 0.035, 0.05, 0.0578, 0.058, 0.3]), max_size=30))
def test_feature_follows_the_two_thresholds(distances: list[float]) -> None:
    breached: tuple[str, ...] = ()
    is_in = False
    for d in distances:
        breached = update_breached(breached, [fact("songs", d)], POLICY)
        # With 22,000 users the lower bound is D - .0129.
        is_in = d >= 0.035 if is_in else d >= 0.0579
        assert (breached == ("songs",)) == is_in


def test_wobbling_around_the_threshold_gives_one_episode() -> None:
    entered, breached = 0, ()
    for number in range(60):
        d = 0.058 + (0.01 if number % 2 else -0.01)
        now = update_breached(breached, [fact("songs", d)], POLICY)
        entered += len(set(now) - set(breached))
        breached = now
    assert entered == 1
    wobble = [replace(QUIET, features=(fact("songs", d),)) for d in (0.068, 0.048) * 7]
    _, decisions = run(START, list(enumerate(wobble, start=1)))
    assert [d.rule for d in decisions if d.rule == "drift"] == ["drift"]


@pytest.mark.parametrize(
    "changes",
    [
        {"adjusted_p": 0.0501},
        {"is_trending": True},
        {"lower_bound": 0.0449},
        {"adjusted_p": math.nan},
    ],
)
def test_feature_does_not_enter(changes: dict[str, float]) -> None:
    assert update_breached((), [replace(fact("songs", 0.9), **changes)], POLICY) == ()


def test_feature_stays_what_it_was_when_its_test_was_skipped() -> None:
    assert update_breached(("songs",), [fact("adverts", 0.2)], POLICY) == ("adverts", "songs")


def test_share_is_of_the_importance_of_features_that_do_not_trend() -> None:
    features = [fact("songs", 0.1, 1.0), fact("adverts", 0.1, 3.0)]
    tenure = fact("tenure", 0.9, 100.0, is_trending=True)
    assert breached_share(["songs"], [*features, tenure]) == 0.25
    assert breached_share(["songs", "tenure", "churn_probability"], [*features, tenure]) == 0.25
    assert breached_share(["songs"], [replace(f, importance=0.0) for f in features]) == 0.5
    assert breached_share(["songs"], []) == 0.0


@given(st.randoms(use_true_random=True))
def test_share_is_the_same_to_the_last_bit_in_any_order(random: Random) -> None:
    features = [fact(f"f{i}", importance=random.random()) for i in range(9)]
    moved = [f"f{i}" for i in range(6)]
    shuffled = random.sample(features, 9)
    assert breached_share(moved, shuffled) == breached_share(moved, features)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (change(1, 0.0401), True),
        (change(1, 0.0399), False),
        (change(1, 0.5, n=199), None),
        (change(1, 0.0401, "log_loss"), True),
        (change(1, 0.0501, "calibration_error"), True),
        (change(1, 0.0499, "calibration_error"), False),
        (change(1, 0.5, "brier"), None),
        (change(1, math.nan), None),
        (change(1, -0.5, "log_loss"), False),
    ],
)
def test_metric_is_worse_when_the_whole_interval_is(found: object, expected: bool | None) -> None:
    assert is_surely_worse(found, POLICY) is expected  # type: ignore[arg-type]


def test_streak_counts_windows_that_share_no_label_and_ends_with_a_good_one() -> None:
    streaks: tuple[Streak, ...] = ()
    for number, drop, n, n_bad in [
        (1, 0.1, 500, 1),
        (2, 0.1, 500, 1),  # shares labels with the one before
        (8, 0.1, 199, 1),  # too few cancels: says nothing
        (9, 0.1, 500, 2),
        (10, 0.0, 500, 0),  # a good one ends it, labels shared or not
        (15, 0.1, 500, 1),  # begins anew, whatever it shares with the good one
        (16, 0.1, 500, 1),
        (23, 0.0, 500, 0),
        (30, 0.1, 500, 1),
    ]:
        streaks = update_streaks(streaks, [change(number, drop, n=n)], POLICY)
        assert streaks[0].n_bad == n_bad
    assert streaks == (Streak("roc_auc", night(37), 1),)


def test_streaks_of_metrics_are_counted_apart_and_in_the_order_of_their_windows() -> None:
    found = [change(8), change(1), change(1, 0.1, "f1")]
    streaks = update_streaks((), found, POLICY)
    assert [(s.metric, s.n_bad) for s in streaks] == [("f1", 1), ("roc_auc", 2)]


def test_drift_that_goes_leaves_no_trace() -> None:
    state, _ = run(START, [(1, DRIFTED), (2, QUIET), (3, QUIET), (4, QUIET)])
    assert (state.breached, state.bad_nights) == ((), (False, False, False))


@pytest.mark.parametrize(
    ("lower_bound", "adjusted_p", "expected"),
    [
        (0.045, 0.05, True),
        (0.0449999, 0.05, False),
        (0.045, 0.0500001, False),
        (0.9, math.nan, False),
        (math.nan, 0.0, False),
    ],
)
def test_entering_needs_size_and_significance(
    lower_bound: float, adjusted_p: float, expected: bool
) -> None:
    assert is_entering(lower_bound, adjusted_p, POLICY, lines_of("songs", POLICY, None)) is expected
