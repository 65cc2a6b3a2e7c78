"""Replaying stored nights, other thresholds on them, and the choice among these."""

from __future__ import annotations

import math
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nights import HISTORIES, POLICY, QUIET, START, History, challenger, fact, night

from churn_spark.errors import ThresholdError
from churn_spark.monitoring.policy.evidence import Evidence, ProbationComparison
from churn_spark.monitoring.policy.policy_state import Decision, from_json, to_json
from churn_spark.monitoring.policy.replay import (
    Night,
    Thresholds,
    calibrate,
    decide_otherwise,
    replay,
    what_if,
)

SHIPPED = Thresholds(POLICY.enter_lower_bound, POLICY.exit_statistic)


def wandering(seed: int, n_nights: int = 365, scale: float = 0.02) -> list[Night]:
    """Nights of one feature whose distance is random, beside one that never moves."""
    random = Random(seed)
    return [
        Night(
            night(number),
            replace(QUIET, features=(fact("songs", abs(random.gauss(0.03, scale))), fact("os"))),
        )
        for number in range(1, n_nights + 1)
    ]


@settings(max_examples=50, deadline=None)
@given(HISTORIES)
def test_stored_nights_give_the_stored_decisions_byte_for_byte(lived: History) -> None:
    # Up to the first release: that is a human's act, and not in the evidence.
    stored, expected, state = [], [], START
    for number, before, evidence, decision, after in lived:
        if before != state:
            break
        stored.append(Night(night(number), from_json(Evidence, to_json(evidence))))
        expected.append((to_json(before), to_json(decision), to_json(after)))
        state = after
    found = [
        (to_json(step.before), to_json(step.decision), to_json(step.after))
        for step in replay(START, stored, POLICY)
    ]
    assert found == expected
    assert from_json(Decision, found[-1][1]).night == stored[-1].night


def test_shipped_thresholds_ask_where_the_policy_asked() -> None:
    nights = wandering(1)
    asked = [
        step.decision
        for step in replay(START, nights, replace_training(POLICY))
        if step.decision.rule == "drift"
    ]
    found = what_if(SHIPPED, START, nights, POLICY)
    assert len(found.retrainings) > 3
    assert found.nights == 365
    assert found.a_year == pytest.approx(len(found.retrainings) * 365.25 / 365)
    assert found.a_year_high > found.a_year
    assert asked[0] == found.retrainings[0]


def replace_training(config: object) -> object:
    """The configuration in which a challenger that doesn't come is given up the next night."""
    return config.model_copy(update={"max_training_days": 1})  # type: ignore[attr-defined]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000), st.floats(0.02, 0.08), st.floats(0.0, 0.05))
def test_first_retraining_comes_no_sooner_when_it_is_harder_to_enter(
    seed: int, low: float, more: float
) -> None:
    nights = wandering(seed, 120)
    easy, hard = (
        what_if(Thresholds(enter, 0.02), START, nights, POLICY).retrainings
        for enter in (low, low + more)
    )
    assert not hard or (easy and easy[0].night <= hard[0].night)


def test_challengers_of_the_past_count_for_nothing() -> None:
    nights = wandering(2, 60)
    judged = [
        one
        for n in nights
        for one in (n, replace(n, evidence=replace(n.evidence, challenger=challenger())))
    ]
    assert what_if(SHIPPED, START, judged, POLICY) == what_if(SHIPPED, START, nights, POLICY)


def test_retraining_that_was_asked_for_keeps_no_night_from_asking() -> None:
    rules = {one.rule for one in decide_otherwise(START, wandering(1), POLICY)}
    assert "training" not in rules
    assert "schedule" in rules


def test_probation_of_what_was_is_not_judged() -> None:
    stored = replace(QUIET, probation=ProbationComparison("9", "1", -0.4, -0.3, 50))
    [found] = decide_otherwise(START, [Night(night(1), stored)], POLICY)
    assert found.rule == "nothing"


def test_champions_follow_each_other_as_they_did() -> None:
    drifted = replace(QUIET, features=(fact("songs", 0.2),))
    nights = [Night(night(1), drifted, "1"), Night(night(2), drifted, "2")]
    kinds = [found.kind for found in decide_otherwise(START, nights, POLICY)]
    assert kinds == ["keep", "keep"]
    nights[1] = replace(nights[1], champion="1")
    assert [found.rule for found in decide_otherwise(START, nights, POLICY)][1] != "nothing"


def test_wait_for_a_human_is_no_quiet_night() -> None:
    """Who waits for ever asks for nothing; thresholds would seem quiet that are not."""
    nights = wandering(2, 120)
    waits = replace(START, waits_for_human="a look")
    asked = what_if(SHIPPED, waits, nights, POLICY).retrainings
    assert asked
    assert asked == what_if(SHIPPED, START, nights, POLICY).retrainings
    drifted = [
        Night(night(number), replace(QUIET, features=(fact("songs", 0.2),)))
        for number in range(1, 366)
    ]
    rules = {one.rule for one in decide_otherwise(START, drifted, POLICY)}
    assert "human" not in rules


def test_most_sensitive_quiet_thresholds_are_chosen() -> None:
    nights = wandering(3)
    candidates = [Thresholds(enter, 0.03) for enter in (0.09, 0.03, 0.06, 0.045)]
    chosen, tried = calibrate(candidates, START, nights, POLICY, max_false_alarms_a_year=3)
    rates = {found.thresholds.enter_lower_bound: found.a_year for found in tried}
    assert list(rates) == [0.03, 0.045, 0.06, 0.09]
    quiet = [enter for enter, rate in rates.items() if rate <= 3]
    assert 0 < len(quiet) < 4
    assert chosen.enter_lower_bound == min(quiet)
    exactly = next(found for found in tried if found.a_year <= 3).a_year
    assert calibrate(candidates, START, nights, POLICY, exactly)[0] == chosen


def test_quiet_quarter_promises_little_about_a_year() -> None:
    found = what_if(Thresholds(0.5, 0.03), START, wandering(4, 91), POLICY)
    assert (found.retrainings, found.a_year) == ((), 0.0)
    # The rule of three: no event in a quarter is compatible with 3 in it, 12 a year.
    assert found.a_year_high == pytest.approx(12.0, abs=0.1)


def test_calibration_is_refused_when_nothing_is_quiet_or_there_is_no_night() -> None:
    with pytest.raises(ThresholdError, match=r"among 1 on 365 nights .* at most 1 a year"):
        calibrate([Thresholds(0.03, 0.02)], START, wandering(5), POLICY, 1)
    with pytest.raises(ThresholdError, match=r"on 0 nights \(the least: none a year\)"):
        calibrate([SHIPPED], START, [], POLICY, 1)
    assert math.isnan(what_if(SHIPPED, START, [], POLICY).a_year)


def test_thresholds_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(ValueError, match="would leave on entering"):
        what_if(Thresholds(0.03, 0.04), START, [], POLICY)
