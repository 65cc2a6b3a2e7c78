"""A stored history decided again: what was changed or left out is found."""

from __future__ import annotations

from dataclasses import replace

import pytest
from nights import DRIFTED, POLICY, QUIET, START, challenger, decided, night

from churn_spark.monitoring.policy.history import Entry
from churn_spark.monitoring.policy.policy import adopt, decide, release
from churn_spark.monitoring.policy.policy_state import Decision, PolicyState
from churn_spark.monitoring.policy.replay import decide_otherwise
from churn_spark.monitoring.policy.replayed import count_differences, judged_nights
from churn_spark.monitoring.policy.wander import quiet_nights

FIRST = Entry(0, Decision(night(0), "promote", "first", "none", "1"), None, None, START, POLICY)


def by_human(before: PolicyState, number: int, rule: str, after: PolicyState) -> Entry:
    decision = Decision(night(number), "keep", rule, "looked", after.champion)
    return Entry(0, decision, before, None, after, POLICY)


@pytest.fixture
def history() -> list[Entry]:
    """Nights with drift, a champion named by a human, and a release."""
    entries = [FIRST]

    def state() -> PolicyState:
        after = entries[-1].after
        assert after is not None
        return after

    entries.append(decided(state(), DRIFTED, night(1)))
    entries.append(decided(state(), DRIFTED, night(2)))
    entries.append(by_human(state(), 3, "human", adopt(state(), "5", POLICY)))
    entries.append(decided(state(), QUIET, night(3)))
    entries.append(decided(state(), QUIET, night(4)))
    entries.append(by_human(state(), 5, "released", release(state())))
    entries.append(decided(state(), QUIET, night(6)))
    return entries


def test_other_thresholds_do_not_excuse_another_memory(history: list[Entry]) -> None:
    other = POLICY.model_copy(update={"bad_nights": 1, "of_nights": 1})
    state = history[-1].after
    assert state is not None
    after, decision = decide(state, DRIFTED, other, night(7))
    assert count_differences([*history, Entry(0, decision, state, DRIFTED, after, other)]) == 0
    after, decision = decide(START, DRIFTED, other, night(7))
    assert count_differences([*history, Entry(0, decision, START, DRIFTED, after, other)]) == 1


def test_history_comes_out_again(history: list[Entry]) -> None:
    assert count_differences(history) == 0
    assert count_differences(history[2:]) == 0


@pytest.mark.parametrize("number", [1, 2, 3])
def test_night_that_is_missing_is_found(history: list[Entry], number: int) -> None:
    assert count_differences([*history[:number], *history[number + 1 : 5]]) == 1


def test_night_under_a_champion_that_nobody_named_is_found(history: list[Entry]) -> None:
    forged = decided(adopt(START, "77", POLICY), QUIET, night(1))
    assert count_differences([FIRST, forged]) == 1


def test_human_act_with_another_outcome_is_found(history: list[Entry]) -> None:
    before = history[2].after
    assert before is not None
    more = replace(adopt(before, "5", POLICY), waits_for_human="no reason")
    assert count_differences([*history[:3], by_human(before, 3, "human", more)]) == 1
    kept = by_human(before, 3, "released", replace(before, cooldown_days=99))
    assert count_differences([*history[:3], kept]) == 1


def test_night_that_judged_a_waiting_challenger_is_a_judged_night_once() -> None:
    """A challenger is the second entry of a retraining night; one trained by hand is the only."""
    asked = decided(START, QUIET, night(7))
    assert asked.after is not None
    trained = decided(asked.after, replace(QUIET, challenger=challenger(gain=-0.02)), night(7))
    assert trained.after is not None
    met = decided(trained.after, replace(DRIFTED, challenger=challenger("3", gain=-0.02)), night(8))
    assert [e.decision.kind for e in (asked, trained, met)] == ["retrain", "reject", "reject"]
    start, nights, stored = judged_nights([asked, trained, met])
    assert (start, stored) == (START, [asked.decision, met.decision])
    assert [(one.night, one.evidence) for one in nights] == [(night(7), QUIET), (night(8), DRIFTED)]
    # Strictly as many as were stored, and tonight's drift is among what others would have seen.
    config = POLICY.model_copy(update={"bad_nights": 1, "of_nights": 1, "min_days_between": 1})
    otherwise = [one.rule for one in decide_otherwise(start, nights, config)]
    assert otherwise == ["schedule", "drift"]


def test_night_that_judged_a_waiting_challenger_may_be_quiet() -> None:
    rejected = replace(QUIET, challenger=challenger(gain=-0.02))
    assert quiet_nights([decided(START, rejected, night(3))], night(5)) == [night(3)]
    drifted = replace(DRIFTED, challenger=challenger(gain=-0.02))
    assert quiet_nights([decided(START, drifted, night(3))], night(5)) == []
