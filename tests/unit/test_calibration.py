"""Thresholds that follow the wander: laws of the estimate, the freeze, the decision, its replay."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nights import FIRST, POLICY, QUIET, START, fact, night, run

from churn_spark.config import PolicyConfig, load_config
from churn_spark.monitoring.policy.calibration import (
    calibrate,
    describe_thresholds,
    find_thresholds,
    lines_of,
    smallest_shift,
)
from churn_spark.monitoring.policy.evidence import Evidence, FeatureWander, Wander
from churn_spark.monitoring.policy.history import Entry, calibration_at
from churn_spark.monitoring.policy.policy import decide
from churn_spark.monitoring.policy.policy_state import (
    Calibration,
    EntryThreshold,
    PolicyState,
    from_json,
    to_json,
)
from churn_spark.monitoring.policy.replay import Night, decide_otherwise
from churn_spark.monitoring.policy.replayed import count_differences, judged_nights
from churn_spark.monitoring.policy.wander import (
    Distances,
    beyond_chance,
    measure_wander,
    quiet_nights,
)

FOLLOWS = load_config().policy
TONIGHT = night(40)
BOUNDS = FOLLOWS.enter_lower_bound, FOLLOWS.max_enter_lower_bound
SQUARES = st.floats(-1e-4, 0.02)
WANDERS = st.lists(
    st.builds(
        FeatureWander,
        st.uuids().map(str),
        st.integers(1, 90),
        SQUARES,
        SQUARES,
        st.floats(0.002, 0.1),
    ),
    min_size=1,
    max_size=12,
    unique_by=lambda move: move.feature,
).map(tuple)


def wanders(spread: float, n_features: int = 30, swing: float = 0.0) -> Wander:
    """Features of one wander, in D, and of one weekly swing."""
    weekly = 0.455 * 0.787 * spread**2
    nightly = 0.377 * swing**2 + 0.455 * 0.138 * spread**2
    return Wander(
        60, tuple(FeatureWander(f"f{i:02}", 53, weekly, nightly, 0.0129) for i in range(n_features))
    )


def entries_of(wander: Wander, state: PolicyState = START) -> tuple[Entry, PolicyState]:
    evidence = Evidence(22_000, wander=wander)
    after, decision = decide(state, evidence, FOLLOWS, TONIGHT)
    return Entry(1, decision, state, evidence, after, FOLLOWS), after


@settings(deadline=None)
@given(WANDERS, st.randoms(use_true_random=True))
def test_thresholds_are_within_their_bounds_and_the_order_of_features_changes_nothing(
    moves: tuple[FeatureWander, ...], random: Random
) -> None:
    found = find_thresholds(Wander(40, moves), FOLLOWS, TONIGHT)
    for move in moves:
        assert BOUNDS[0] <= found.of(move.feature).enter <= BOUNDS[1]
    assert BOUNDS[0] <= found.typical.enter <= BOUNDS[1]
    shuffled = tuple(random.sample(moves, len(moves)))
    again = find_thresholds(Wander(40, shuffled), FOLLOWS, TONIGHT)
    assert to_json(replace(START, calibration=again)) == to_json(replace(START, calibration=found))


@settings(deadline=None)
@given(WANDERS, st.data(), st.floats(0, 0.01), st.floats(0, 0.01))
def test_more_wander_lowers_no_threshold(
    moves: tuple[FeatureWander, ...], data: st.DataObject, weekly: float, nightly: float
) -> None:
    number = data.draw(st.integers(0, len(moves) - 1))
    louder = replace(
        moves[number],
        weekly=moves[number].weekly + weekly,
        nightly=moves[number].nightly + nightly,
    )
    before = find_thresholds(Wander(40, moves), FOLLOWS, TONIGHT)
    more = (*moves[:number], louder, *moves[number + 1 :])
    after = find_thresholds(Wander(40, more), FOLLOWS, TONIGHT)
    for move in moves:
        assert after.of(move.feature).enter >= before.of(move.feature).enter


def test_features_that_hardly_move_take_nothing_from_the_wander_of_others() -> None:
    restless = wanders(0.04, 20).features
    # Of the same users a week later D is less than two samples differ by chance.
    calm = [FeatureWander(f"calm{n}", 53, -0.3 / 2500, -0.3 / 2500, 0.0129) for n in range(20)]
    still = [replace(move, weekly=0.0, nightly=0.0) for move in calm]

    def enter_of(others: list[FeatureWander]) -> list[float]:
        found = find_thresholds(Wander(60, (*restless, *others)), FOLLOWS, TONIGHT, {})
        return [found.others.get(move.feature, found.typical).enter for move in restless]

    assert enter_of(calm) == enter_of(still)
    assert min(enter_of(calm)) > FOLLOWS.enter_lower_bound


@pytest.mark.parametrize(
    ("spread", "swing", "low", "high"),
    [
        # D of a shift of .025 SD is .01: what the configuration allows for.
        (0.0, 0.0, 0.045, 0.045),
        (0.01, 0.0, 0.045, 0.047),
        (0.02, 0.0, 0.075, 0.09),
        (0.04, 0.0, 0.16, 0.18),
        (0.01, 0.04, 0.10, 0.12),
        (0.2, 0.2, 0.2, 0.2),
    ],
)
def test_threshold_is_where_wander_and_swing_seldom_go(
    spread: float, swing: float, low: float, high: float
) -> None:
    found = find_thresholds(wanders(spread, swing=swing), FOLLOWS, TONIGHT)
    assert low <= found.typical.enter <= high
    assert found.others == {}


def test_what_has_moved_keeps_its_threshold() -> None:
    own = EntryThreshold(0.07, 0.25)
    known = replace(FOUND, others={"songs": own})
    state = replace(START, breached=("pages", "songs"), calibration=known)
    after, _ = calibrate(state, wanders(0.04), FOLLOWS, TONIGHT)
    assert after.calibration is not None
    assert after.calibration.typical.enter > 0.15
    assert after.calibration.of("songs") == own
    assert after.calibration.of("pages") == FOUND.typical
    # What is measured all the same, as older releases did, follows; so does what hasn't moved.
    measured = (*wanders(0.04).features, replace(wanders(0.04).features[0], feature="songs"))
    again, _ = calibrate(state, Wander(60, measured), FOLLOWS, TONIGHT)
    assert again.calibration is not None
    assert again.calibration.of("songs").enter > 0.15
    calm, _ = calibrate(replace(state, breached=()), wanders(0.04), FOLLOWS, TONIGHT)
    assert calm.calibration is not None
    assert calm.calibration.others == {}


def test_restless_feature_gets_a_line_of_its_own() -> None:
    quiet, restless = wanders(0.01).features, wanders(0.04, 1).features[0]
    found = find_thresholds(
        Wander(60, (*quiet, replace(restless, feature="songs"))), FOLLOWS, TONIGHT
    )
    assert found.of("songs").enter > 1.5 * found.typical.enter
    assert found.of("songs").shift > found.typical.shift
    assert found.of("never seen") == found.typical


def test_shift_that_is_found_is_larger_where_less_can_be_told() -> None:
    usual = smallest_shift(0.045, 0.01, 0.0129)
    assert usual == pytest.approx(0.19, abs=0.02)
    assert usual < smallest_shift(0.045, 0.02, 0.0129) < smallest_shift(0.09, 0.02, 0.0129)
    assert usual < smallest_shift(0.045, 0.01, 0.06)


@pytest.mark.parametrize(
    ("changes", "because"),
    [
        ({"bad_nights": (False, True, True)}, "2 runs with drift"),
        ({"bad_nights": (True, False, False)}, "1 run with drift"),
        ({"reactions": (TONIGHT - timedelta(days=13),)}, "a retraining was asked for"),
    ],
)
def test_thresholds_are_frozen_while_something_looks_like_drift(
    changes: dict[str, object], because: str
) -> None:
    state = replace(START, **changes)
    after, decision = calibrate(state, wanders(0.04), FOLLOWS, TONIGHT)
    assert after == state
    assert (decision.kind, decision.rule) == ("hold", "frozen")
    assert because in decision.reason
    assert because in describe_thresholds(state, FOLLOWS, TONIGHT)


@given(st.floats(0, 0.3), st.integers(1, 7), st.integers(1, 60))
def test_frozen_while_drift_is_confirmed_whatever_the_wander(
    spread: float, nights: int, n_nights: int
) -> None:
    bad = tuple(bool(nights >> number & 1) for number in range(3))
    state = replace(START, bad_nights=bad, calibration=FOUND)
    wander = replace(wanders(spread), n_nights=n_nights)
    assert calibrate(state, wander, FOLLOWS, TONIGHT)[0].calibration == FOUND


FOUND = Calibration(night(30), 28, 0.01, EntryThreshold(0.06, 0.2), {})


def test_calibrates_once_a_week_and_after_enough_quiet_nights() -> None:
    known = replace(START, calibration=FOUND)
    assert calibrate(known, wanders(0.02), FOLLOWS, night(36))[1].rule == "frozen"
    after, decision = calibrate(known, wanders(0.02), FOLLOWS, night(37))
    assert (decision.kind, decision.rule) == ("calibrate", "wander")
    assert after.calibration is not None
    assert after.calibration.night == night(37)
    assert after == replace(known, calibration=after.calibration)
    few = replace(wanders(0.02), n_nights=27)
    assert "27 of 28 runs without drift" in calibrate(START, few, FOLLOWS, TONIGHT)[1].reason


def test_reason_says_what_power_is_left() -> None:
    entry, _ = entries_of(wanders(0.02))
    assert entry.decision.reason.startswith(
        "in 60 runs without drift the KS distances of the features varied by 0.019; half of the "
    )
    assert "standard deviations would be detected within 3 runs" in entry.decision.reason


def test_lines_stay_in_proportion_and_are_the_configured_ones_without_calibration() -> None:
    before = lines_of("songs", FOLLOWS, None)
    assert (before.enter, before.leave) == pytest.approx((0.2, 0.2 * 0.035 / 0.045))
    now = lines_of("songs", FOLLOWS, FOUND)
    assert (now.enter, now.leave) == pytest.approx((0.06, 0.06 * 0.035 / 0.045))
    fixed = lines_of("songs", POLICY, FOUND)
    assert (fixed.enter, fixed.leave) == (POLICY.enter_lower_bound, POLICY.exit_statistic)
    # The bounds may have been changed since.
    narrow = FOLLOWS.model_copy(update={"max_enter_lower_bound": 0.05})
    assert lines_of("songs", narrow, FOUND).enter == 0.05


def test_features_enter_at_their_own_lines() -> None:
    known = replace(START, calibration=replace(FOUND, others={"songs": EntryThreshold(0.1, 0.4)}))
    both = replace(QUIET, features=(fact("songs", 0.08), fact("adverts", 0.08)))
    after, _ = run(known, [(41, both)], FOLLOWS)
    assert after.breached == ("adverts",)
    assert run(START, [(41, both)], FOLLOWS)[0].breached == ()
    assert run(known, [(41, both)], POLICY)[0].breached == ("adverts", "songs")


def test_calibration_is_replayed_byte_for_byte_and_a_changed_one_is_found() -> None:
    entry, after = entries_of(wanders(0.02))
    assert count_differences([entry]) == 0
    forged = replace(after, calibration=replace(after.calibration or FOUND, wander=0.5))
    assert count_differences([replace(entry, after=forged)]) == 1
    assert from_json(PolicyState, to_json(after)) == after
    assert calibration_at([entry], TONIGHT + timedelta(days=1)) == after.calibration
    assert calibration_at([entry], TONIGHT) is None


def test_state_and_policy_of_an_older_release_are_read_as_they_were() -> None:
    state = from_json(
        PolicyState, '{"champion":"1","last_retrain":"2024-01-01","cooldown_days":14}'
    )
    assert state.calibration is None
    new = {
        "self_calibrate",
        "calibration_nights",
        "calibrate_days",
        "max_false_retrains",
        "max_enter_lower_bound",
    }
    old = PolicyConfig.model_validate(FOLLOWS.model_dump(exclude=new))
    assert lines_of("songs", old, None).enter == FOLLOWS.enter_lower_bound


def test_other_thresholds_are_calibrated_where_the_stored_ones_were() -> None:
    shifted = replace(QUIET, features=(fact("songs", 0.09),))
    wander = Evidence(22_000, wander=wanders(0.01))
    nights = [
        Night(night(40), QUIET),
        Night(night(40), wander),
        Night(night(41), shifted),
        Night(night(42), shifted),
    ]
    start = replace(START, last_retrain=night(38))
    rules = [found.rule for found in decide_otherwise(start, nights, FOLLOWS)]
    assert rules == ["nothing", "nothing", "drift"]
    never = [found.rule for found in decide_otherwise(start, nights[:1] + nights[2:], FOLLOWS)]
    assert never == ["nothing", "nothing", "nothing"]


def test_judged_nights_leave_out_what_was_decided_of_thresholds() -> None:
    after, decision = decide(START, QUIET, FOLLOWS, TONIGHT)
    judged = Entry(0, decision, START, QUIET, after, FOLLOWS)
    entry, _ = entries_of(wanders(0.02), after)
    _, nights, decisions = judged_nights([judged, entry])
    assert len(nights) == 2
    assert decisions == [decision]


def test_quiet_nights_are_judged_ones_that_were_not_bad() -> None:
    drifted = replace(QUIET, features=(fact("songs", 0.5),))
    broken = Evidence(22_000, failed_checks=("volume",))
    few = replace(QUIET, n_rows=10)
    entries, state = [], START
    for number, evidence in enumerate([QUIET, drifted, broken, few, QUIET], start=1):
        before = state
        state, decision = decide(before, evidence, FOLLOWS, night(number))
        entries.append(Entry(0, decision, before, evidence, state, FOLLOWS))
    # The last night is good: that the one before was bad doesn't count.
    assert quiet_nights(entries, night(5)) == [night(1), night(5)]
    assert quiet_nights(entries, night(4)) == [night(1)]
    assert quiet_nights(entries, night(92)) == [night(5)]


def test_movements_are_medians_that_one_step_changes_little() -> None:
    nights = [FIRST + timedelta(days=number) for number in range(28)]
    weekly = dict.fromkeys(nights[7:], 0.0001)
    nightly = {day: 4e-4 if day.weekday() == 5 else 1e-5 for day in nights[1:]}
    usual = Distances(0.01, nightly, weekly)
    stepped = Distances(
        0.01, {**nightly, nights[20]: 0.04}, {**weekly, **dict.fromkeys(nights[20:27], 0.04)}
    )
    found = measure_wander({"b": usual, "a": stepped, "new": Distances(0.01, nightly, {})})
    assert [move.feature for move in found] == ["a", "b"]
    assert [move.weekly for move in found] == [1e-4, 1e-4]
    assert found[0].nightly == pytest.approx(found[1].nightly, abs=2e-5)
    assert found[1].nightly == pytest.approx((4e-4 + 6e-5) / 7)
    assert [move.n_pairs for move in found] == [21, 21]


def test_distance_of_two_nights_by_chance_alone_is_none() -> None:
    assert beyond_chance(0.0, 1000, 1000) < 0
    assert beyond_chance(math.sqrt(0.685 * 2 / 1000), 1000, 1000) == pytest.approx(0.0, abs=1e-12)


def test_without_a_pair_of_nights_nothing_is_calibrated() -> None:
    after, decision = calibrate(START, Wander(40, ()), FOLLOWS, TONIGHT)
    assert after == START
    assert "no feature has two runs without drift" in decision.reason
