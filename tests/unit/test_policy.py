"""The policy's laws on any history, and each of its rules on one night."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nights import (
    DRIFTED,
    HISTORIES,
    POLICY,
    QUIET,
    START,
    History,
    challenger,
    change,
    fact,
    facts,
    night,
    run,
)

from churn_spark.errors import PolicyError
from churn_spark.monitoring.policy.evidence import (
    DriftFact,
    Evidence,
    ProbationComparison,
    SegmentDifference,
)
from churn_spark.monitoring.policy.policy import decide, release
from churn_spark.monitoring.policy.policy_state import PolicyState
from churn_spark.monitoring.policy.promotion import Verdict, judge_challenger

law = settings(max_examples=150, deadline=None)


@law
@given(HISTORIES)
def test_retrainings_keep_their_distances(history: History) -> None:
    all_dates, reactions = [START.last_retrain], []
    waited = False
    for _, before, _, decision, after in history:
        if waited and not before.waits_for_human:
            reactions = []  # a human released it: a fresh budget
        waited = after.waits_for_human is not None
        if decision.kind != "retrain":
            continue
        gap = (decision.night - all_dates[-1]).days
        assert gap >= {"schedule": 7}.get(decision.rule, 3)
        if decision.rule == "drift" and reactions:
            assert (decision.night - reactions[-1]).days >= before.cooldown_days >= 14
        all_dates.append(decision.night)
        if decision.rule != "schedule":
            reactions.append(decision.night)
            assert sum((decision.night - day).days < 30 for day in reactions) <= 3


@law
@given(HISTORIES)
def test_nothing_happens_and_nothing_is_remembered_when_the_feed_is_broken(
    history: History,
) -> None:
    for _, before, evidence, decision, after in history:
        if evidence.failed_checks:
            assert (decision.kind, decision.rule) == ("hold", "data_checks")
            assert after == before


@law
@given(HISTORIES)
def test_drift_of_too_few_users_is_not_judged_and_all_else_is(history: History) -> None:
    for number, before, evidence, decision, after in history:
        if evidence.failed_checks or evidence.n_rows >= 200:
            continue
        assert decision.rule != "drift"
        still = replace(evidence, features=(), prediction=None)
        assert decide(before, still, POLICY, night(number)) == (after, decision)
        if after.champion == before.champion:
            assert (after.breached, after.bad_nights) == (before.breached, before.bad_nights)
        # Without drift, a night of many users decides the same.
        calm = replace(before, breached=(), bad_nights=())
        many = replace(still, n_rows=200)
        few, usual = (decide(calm, one, POLICY, night(number))[1] for one in (still, many))
        assert few.kind == usual.kind


@law
@given(HISTORIES)
def test_champion_changes_only_by_promotion_and_roll_back(history: History) -> None:
    for _, before, _, decision, after in history:
        assert (after.champion != before.champion) == (decision.kind in ("promote", "roll_back"))
        if decision.kind in ("promote", "roll_back"):
            assert after.champion == decision.version
            # Another baseline: what had moved from the old one has not moved from this one.
            assert (after.breached, after.bad_nights, after.streaks) == ((), (), ())


@law
@given(HISTORIES, st.randoms(use_true_random=True))
def test_more_drift_never_turns_a_retraining_into_none(history: History, random: Random) -> None:
    for number, before, evidence, decision, _ in history:
        if decision.kind != "retrain":
            continue
        more = [random.random() < 0.5 for _ in evidence.features]
        features = tuple(
            replace(f, statistic=0.5, lower_bound=0.49, adjusted_p=0.0) if worse else f
            for f, worse in zip(evidence.features, more, strict=True)
        )
        _, again = decide(before, replace(evidence, features=features), POLICY, night(number))
        assert again.kind == "retrain"


@law
@given(HISTORIES, st.randoms(use_true_random=True))
def test_same_input_gives_same_output_in_any_order_of_features(
    history: History, random: Random
) -> None:
    for number, before, evidence, decision, after in history:
        features = list(evidence.features)
        random.shuffle(features)
        shuffled = replace(evidence, features=tuple(features))
        assert decide(before, shuffled, POLICY, night(number)) == (after, decision)


@law
@given(HISTORIES)
def test_cooldown_doubles_only_with_reactions_in_vain(history: History) -> None:
    for _, before, _, decision, after in history:
        pending = before.pending
        reacted = pending is not None and pending.trigger != "schedule"
        # After three days a training counts as never finished, and so as no reaction.
        reacted = reacted and (decision.night - pending.asked).days < 3
        if decision.kind == "reject" and reacted:
            assert after.cooldown_days == min(56, 2 * before.cooldown_days)
        elif decision.kind in ("promote", "roll_back"):
            assert after.cooldown_days == 14
        else:
            assert after.cooldown_days == before.cooldown_days


def test_ten_years_without_drift_give_scheduled_retrainings_only() -> None:
    state, rules = START, []
    for number in range(1, 3653):
        state, decision = decide(state, QUIET, POLICY, night(number))
        rules.append((decision.kind, decision.rule))
        if decision.kind == "retrain":
            # Every other challenger is promoted.
            rival = challenger(str(number), state.champion, 0.01 if number % 2 else -0.01)
            found = replace(QUIET, challenger=rival)
            state, _ = decide(state, found, POLICY, night(number))
    assert set(rules) == {("keep", "nothing"), ("retrain", "schedule")}
    assert rules.count(("retrain", "schedule")) == 3652 // 7


def test_drift_is_confirmed_on_the_second_bad_night() -> None:
    state, decisions = run(START, [(1, QUIET), (4, DRIFTED), (5, QUIET), (6, DRIFTED)])
    assert [d.kind for d in decisions] == ["keep", "keep", "keep", "retrain"]
    assert decisions[-1].rule == "drift"
    assert "songs" in decisions[-1].reason
    assert "33% of feature importance" in decisions[-1].reason
    assert (state.reactions, state.last_retrain) == ((night(6),), night(6))


def test_bad_night_is_forgotten_after_two_good_ones() -> None:
    _, decisions = run(START, [(1, QUIET), (3, DRIFTED), (4, QUIET), (5, QUIET), (6, DRIFTED)])
    assert {d.kind for d in decisions} == {"keep"}


def test_night_without_data_neither_confirms_nor_forgets() -> None:
    broken = replace(QUIET, failed_checks=("volume", "freshness"))
    _, decisions = run(START, [(3, DRIFTED), (4, broken), (5, broken), (6, DRIFTED)])
    assert [d.rule for d in decisions] == ["nothing", "data_checks", "data_checks", "drift"]
    assert decisions[1].reason == "failed data checks: freshness, volume"


def test_shift_in_an_unimportant_feature_is_no_bad_night() -> None:
    features = (fact("songs", 0.3, 0.019), fact("adverts", 0.01, 0.981))
    state, decisions = run(START, [(n, replace(QUIET, features=features)) for n in (3, 4, 5)])
    assert {d.kind for d in decisions} == {"keep"}
    assert state.breached == ("songs",)


def test_drift_of_the_prediction_alone_is_enough() -> None:
    moved = replace(QUIET, prediction=fact("churn_probability", 0.08))
    _, decisions = run(START, [(3, moved), (4, moved)])
    assert [d.rule for d in decisions] == ["nothing", "drift"]


def test_drift_is_mute_in_the_cooldown_and_asks_again_after_it() -> None:
    state, _ = run(START, [(3, DRIFTED), (4, DRIFTED)])
    rejected = replace(DRIFTED, challenger=challenger(gain=-0.01))
    state, [decision] = run(state, [(4, rejected)])
    assert (decision.kind, state.cooldown_days) == ("reject", 28)
    found = []
    for number in range(5, 40):
        state, [decision] = run(state, [(number, DRIFTED)])
        found.append((number, decision.kind, decision.rule))
        if decision.kind == "retrain":
            state, _ = run(state, [(number, rejected)])
    retrainings = [(number, rule) for number, kind, rule in found if kind == "retrain"]
    # 4 + 28 = 32; the calendar goes on meanwhile.
    assert retrainings == [
        (11, "schedule"),
        (18, "schedule"),
        (25, "schedule"),
        (32, "drift"),
        (39, "schedule"),
    ]
    assert (10, "hold", "cooldown") in found
    assert state.cooldown_days == 56


def test_lost_performance_needs_two_windows_without_a_common_date() -> None:
    def lost(number: int) -> Evidence:
        return replace(QUIET, performance=(change(number),))

    state, decisions = run(START, [(1, lost(1)), (2, lost(2)), (5, lost(7))])
    assert {d.kind for d in decisions} == {"keep"}
    _, [decision] = run(state, [(6, lost(8))])
    assert (decision.kind, decision.rule) == ("retrain", "performance")


def test_lost_performance_passes_the_cooldown_three_times_and_then_waits_for_a_human() -> None:
    lost = [replace(QUIET, performance=(change(-21),)), replace(QUIET, performance=(change(-14),))]
    state, _ = run(START, [(1, lost[0]), (2, lost[1])])
    asked = []
    for number in range(3, 20):
        state, [decision] = run(state, [(number, QUIET)])
        if decision.kind == "retrain":
            asked.append(number)
            bad = challenger(champion=state.champion, gain=-0.01)
            state, _ = run(state, [(number, replace(QUIET, challenger=bad))])
    assert asked == [3, 6, 9]
    assert decision.rule == "human"
    assert "3 retrainings in 30 days" in decision.reason
    state, [decision] = run(release(state), [(20, QUIET)])
    assert (decision.kind, decision.rule) == ("retrain", "performance")


def test_performance_goes_before_drift_and_drift_before_the_calendar() -> None:
    both = replace(DRIFTED, performance=(change(-14), change(-7)))
    assert run(START, [(5, DRIFTED), (9, both)])[1][1].rule == "performance"
    state, _ = run(START, [(5, QUIET), (6, DRIFTED)])
    assert run(state, [(7, DRIFTED)])[1][0].rule == "drift"
    assert run(state, [(7, QUIET)])[1][0].rule == "schedule"


def test_challenger_is_promoted_and_probation_begins() -> None:
    state, _ = run(START, [(7, QUIET)])
    assert state.pending is not None
    state, [decision] = run(state, [(7, replace(QUIET, challenger=challenger()))])
    assert (decision.kind, decision.version) == ("promote", "2")
    assert (state.champion, state.previous, state.probation_end) == ("2", "1", night(21))
    assert state.pending is None


def on_probation() -> PolicyState:
    state, _ = run(START, [(7, QUIET)])
    return run(state, [(7, replace(QUIET, challenger=challenger()))])[0]


def test_champion_goes_back_in_its_probation_and_then_a_human_is_waited_for() -> None:
    worse = replace(QUIET, probation=ProbationComparison("2", "1", -0.03, -0.011))
    state, decisions = run(on_probation(), [(20, worse), (30, QUIET)])
    assert [(d.kind, d.version) for d in decisions] == [("roll_back", "1"), ("hold", None)]
    assert (state.champion, state.previous) == ("1", None)
    assert "version 2 was rolled back on 2024-01-21" in decisions[1].reason
    assert run(release(state), [(31, QUIET)])[1][0].rule == "schedule"


@pytest.mark.parametrize(
    ("n_positive", "kind"), [(9, "retrain"), (10, "roll_back"), (None, "roll_back")]
)
def test_champion_goes_back_only_on_enough_cancels(n_positive: int | None, kind: str) -> None:
    worse = replace(QUIET, probation=ProbationComparison("2", "1", -0.3, -0.2, n_positive))
    _, [decision] = run(on_probation(), [(20, worse)])
    assert decision.kind == kind
    assert ("(10 cancels)" in decision.reason) == (n_positive == 10)


@pytest.mark.parametrize(("to_proven", "back"), [(True, "1"), (False, "2")])
def test_way_back_is_to_the_champion_that_passed_its_probation(to_proven: bool, back: str) -> None:
    """Version 3 takes over while version 2 is on probation: both may have learnt bad data."""
    config = POLICY.model_copy(update={"roll_back_to_proven": to_proven})
    rival = replace(challenger(champion="2"), version="3")
    state, _ = run(on_probation(), [(14, QUIET)], config)
    state, _ = run(state, [(14, replace(QUIET, challenger=rival))], config)
    assert (state.champion, state.previous, state.probation_end) == ("3", back, night(28))
    worse = replace(QUIET, probation=ProbationComparison("3", back, -0.03, -0.011))
    state, [decision] = run(state, [(27, worse)], config)
    assert (decision.kind, state.champion) == ("roll_back", back)


def test_way_back_is_to_the_champion_before_once_it_has_passed_its_probation() -> None:
    assert POLICY.roll_back_to_proven
    rival = replace(challenger(champion="2"), version="3")
    state, _ = run(on_probation(), [(20, QUIET), (21, replace(QUIET, challenger=rival))])
    assert (state.champion, state.previous) == ("3", "2")


@pytest.mark.parametrize(("number", "high"), [(20, -0.009), (20, -0.01), (21, -0.5)])
def test_champion_stays_when_not_surely_worse_or_when_probation_is_over(
    number: int, high: float
) -> None:
    worse = replace(QUIET, probation=ProbationComparison("2", "1", -0.6, high))
    state, [decision] = run(on_probation(), [(number, worse)])
    assert (decision.kind, state.champion) == ("retrain", "2")


@pytest.mark.parametrize(
    ("changes", "objection"),
    [
        ({"auc_low": -0.005}, "lower bound of the AUC difference -0.0050"),
        ({"auc_low": float("nan")}, "lower bound of the AUC difference +nan"),
        ({"auc_difference": 0.0}, "AUC difference +0.0000, expected above 0"),
        ({"log_loss_difference": 1e-4}, "log loss worse by 0.00010"),
        ({"calibration_difference": 0.021}, "calibration error worse by 0.0210, allowed 0.02"),
        (
            {"log_loss_difference": 1e-4, "level_from": date(2018, 12, 1)},
            "log loss worse by 0.00010 on dates from 2018-12-01 on",
        ),
        (
            {"calibration_difference": 0.021, "level_from": date(2018, 12, 1)},
            "calibration error worse by 0.0210, allowed 0.02 on dates from 2018-12-01 on",
        ),
        ({"segments": (SegmentDifference("paid", 200, -0.02),)}, "segment paid (200 cancels)"),
    ],
)
def test_challenger_is_rejected_for_one_objection(changes: dict[str, Any], objection: str) -> None:
    rival = replace(challenger(), **changes)
    state, [_, decision] = run(START, [(7, QUIET), (7, replace(QUIET, challenger=rival))])
    assert (decision.kind, state.champion) == ("reject", "1")
    assert objection in decision.reason
    assert len(judge_challenger(rival, POLICY).objections) == 1


def test_challenger_has_no_objection_at_the_edges() -> None:
    segments = (SegmentDifference("paid", 199, -0.5), SegmentDifference("free", 200, -0.0199))
    rival = replace(
        challenger(), auc_low=-0.0049, log_loss_difference=0.0, calibration_difference=0.02,
        segments=segments,
    )  # fmt: skip
    assert judge_challenger(rival, POLICY) == Verdict("ranking", ())


OUTGROWN = replace(
    challenger(), auc_difference=-0.0004, auc_low=-0.03, auc_high=0.029, log_loss_difference=0.002,
    log_loss_low=-0.001, n_positive=10, restores_drift=True,
)  # fmt: skip


def test_champion_that_drift_cannot_be_judged_by_is_renewed_by_one_that_is_no_worse() -> None:
    asked = [(7, QUIET)]
    state, [_, decision] = run(START, [*asked, (7, replace(QUIET, challenger=OUTGROWN))])
    assert (decision.kind, state.champion, state.previous) == ("promote", "2", "1")
    assert decision.reason == (
        "version 2 against version 1 on the same rows: AUC -0.0004, at least -0.0300, not "
        "significantly worse; drift can be judged again with version 2, and can't with version 1, "
        "as the log has grown too long for its training rows"
    )
    only_newer = replace(OUTGROWN, restores_drift=False)
    _, [_, decision] = run(START, [*asked, (7, replace(QUIET, challenger=only_newer))])
    assert decision.kind == "reject"


def test_better_challenger_needs_no_leave_to_renew() -> None:
    better = replace(challenger(), n_positive=9, restores_drift=True)
    _, [_, decision] = run(START, [(7, QUIET), (7, replace(QUIET, challenger=better))])
    assert decision.kind == "promote"
    assert decision.reason.endswith("and nothing else worse than allowed")


def test_retraining_for_drift_is_not_cured_by_a_challenger_that_is_no_worse() -> None:
    asked = [(6, DRIFTED), (7, DRIFTED)]
    state, [_, retrain, decision] = run(START, [*asked, (7, replace(DRIFTED, challenger=OUTGROWN))])
    assert (retrain.rule, decision.kind) == ("drift", "reject")
    assert state.cooldown_days == 2 * POLICY.cooldown_days
    assert state.breached


def test_challenger_of_drift_that_comes_late_is_none_of_the_calendar() -> None:
    late = 6 + 1 + POLICY.max_training_days
    nights = [(6, DRIFTED), (7, DRIFTED), (late, replace(DRIFTED, challenger=OUTGROWN))]
    _, [_, retrain, decision] = run(START, nights)
    assert (retrain.rule, decision.kind) == ("drift", "reject")


def test_bad_window_waits_for_its_second_with_the_champion_that_has_lost() -> None:
    lost = replace(QUIET, performance=(change(0),), challenger=OUTGROWN)
    state, [_, decision] = run(START, [(7, QUIET), (7, replace(QUIET, challenger=None))])
    state, [decision] = run(state, [(8, lost)])
    assert decision.kind == "reject"
    assert [streak.n_bad for streak in state.streaks] == [1]


def test_renewal_keeps_the_cooldown() -> None:
    state, _ = run(replace(START, cooldown_days=28), [(7, QUIET)])
    state, [decision] = run(state, [(7, replace(QUIET, challenger=OUTGROWN))])
    assert (decision.kind, state.cooldown_days) == ("promote", 28)


def test_champion_on_probation_is_not_renewed() -> None:
    rival = replace(OUTGROWN, version="3", champion="2")
    _, [*_, decision] = run(on_probation(), [(21, replace(QUIET, challenger=rival))])
    assert decision.kind == "promote"
    _, [*_, decision] = run(on_probation(), [(20, replace(QUIET, challenger=rival))])
    assert decision.kind == "reject"


@pytest.mark.parametrize(
    ("changes", "objection"),
    [
        ({"auc_high": -1e-4}, "AUC significantly worse: difference -0.0004, at most -0.0001"),
        ({"auc_high": float("nan")}, "AUC significantly worse"),
        ({"auc_high": None}, "AUC significantly worse: difference -0.0004, at most unknown"),
        ({"auc_difference": -0.02}, "AUC difference -0.0200, expected above -0.0200"),
        ({"log_loss_low": 1e-4}, "log loss significantly worse: by 0.00200, at least 0.00010"),
        ({"log_loss_low": float("nan")}, "log loss significantly worse"),
        ({"log_loss_low": None}, "log loss significantly worse"),
        ({"n_positive": 9}, "only 9 cancels to compare by, 10 needed"),
        ({"n_positive": None}, "only 0 cancels to compare by, 10 needed"),
        ({"calibration_difference": 0.021}, "calibration error worse by 0.0210, allowed 0.02"),
        ({"segments": (SegmentDifference("paid", 200, -0.02),)}, "segment paid (200 cancels)"),
    ],
)
def test_renewal_is_rejected_for_one_objection(changes: dict[str, Any], objection: str) -> None:
    [found] = judge_challenger(replace(OUTGROWN, **changes), POLICY, may_renew=True).objections
    assert objection in found
    assert judge_challenger(OUTGROWN, POLICY, may_renew=True) == Verdict("renewal", ())


def test_renewal_has_no_objection_at_the_edges() -> None:
    rival = replace(OUTGROWN, auc_difference=-0.0199, auc_high=0.0, log_loss_low=0.0)
    assert judge_challenger(rival, POLICY, may_renew=True) == Verdict("renewal", ())
    assert len(judge_challenger(rival, POLICY).objections) == 3


SURER = replace(
    challenger(), auc_difference=-0.0004, auc_low=-0.03, auc_high=0.029, log_loss_difference=-0.01,
    log_loss_low=-0.019, log_loss_high=-0.001, n_positive=10, level_from=date(2018, 12, 1),
)  # fmt: skip


@pytest.mark.parametrize("asked", [[(7, QUIET)], [(6, DRIFTED), (7, DRIFTED)]])
def test_challenger_whose_probabilities_are_surely_better_need_not_rank_better(
    asked: list[tuple[int, Evidence]],
) -> None:
    """Whatever it was asked for by: it has learnt how many cancel now."""
    start = replace(START, cooldown_days=28)
    evidence = replace(asked[-1][1], challenger=SURER)
    state, [*_, decision] = run(start, [*asked, (7, evidence)])
    assert (decision.kind, state.champion, state.previous) == ("promote", "2", "1")
    assert state.cooldown_days == POLICY.cooldown_days
    assert decision.reason == (
        "version 2 against version 1 on the same rows: AUC -0.0004, at least -0.0300, not "
        "significantly worse; log loss better by 0.01000 on dates from 2018-12-01 on, significantly"
    )


@pytest.mark.parametrize(
    ("changes", "objection"),
    [
        ({"log_loss_high": 0.0}, "lower bound of the AUC difference"),
        ({"log_loss_high": None}, "lower bound of the AUC difference"),
        ({"log_loss_high": float("nan")}, "lower bound of the AUC difference"),
        ({"log_loss_difference": float("nan")}, "lower bound of the AUC difference"),
        ({"auc_high": -1e-4}, "AUC significantly worse: difference -0.0004, at most -0.0001"),
        ({"auc_difference": -0.02}, "AUC difference -0.0200, expected above -0.0200"),
        ({"n_positive": 9}, "only 9 cancels to compare by, 10 needed"),
        ({"calibration_difference": 0.021}, "calibration error worse by 0.0210, allowed 0.02"),
        ({"segments": (SegmentDifference("paid", 200, -0.02),)}, "segment paid (200 cancels)"),
    ],
)
def test_challenger_of_better_probabilities_is_rejected_for_one_objection(
    changes: dict[str, Any], objection: str
) -> None:
    verdict = judge_challenger(replace(SURER, **changes), POLICY, is_settled=True)
    assert objection in verdict.objections[0]
    assert judge_challenger(SURER, POLICY, is_settled=True) == Verdict("probabilities", ())


def test_champion_on_probation_gives_way_to_none_that_only_predicts_better() -> None:
    rival = replace(SURER, version="3", champion="2")
    _, [*_, decision] = run(on_probation(), [(21, replace(QUIET, challenger=rival))])
    assert decision.kind == "promote"
    _, [*_, decision] = run(on_probation(), [(20, replace(QUIET, challenger=rival))])
    assert decision.kind == "reject"


def test_nothing_is_asked_for_while_a_challenger_is_trained_and_then_again() -> None:
    _, decisions = run(START, [(n, DRIFTED) for n in (6, 7, 8, 9, 10)] + [(24, DRIFTED)])
    rules = [d.rule for d in decisions]
    assert rules == ["nothing", "drift", "training", "training", "cooldown", "drift"]


def test_history_of_a_night_counts_once() -> None:
    once, _ = run(START, [(3, DRIFTED)])
    twice, decisions = run(START, [(3, DRIFTED), (3, DRIFTED)])
    assert twice == once
    assert decisions[1].kind == "keep"


def test_night_is_refused_when_a_later_one_was_decided() -> None:
    state, _ = run(START, [(5, QUIET)])
    with pytest.raises(PolicyError, match="found the night of 2024-01-05, expected 2024-01-06"):
        decide(state, QUIET, POLICY, night(4))


@pytest.mark.parametrize(
    "evidence",
    [
        replace(QUIET, challenger=challenger(champion="9")),
        replace(QUIET, probation=ProbationComparison("9", "1", 0.0, 0.0)),
        replace(QUIET, probation=ProbationComparison("2", "9", -0.5, -0.4)),
    ],
)
def test_comparison_is_refused_when_it_is_of_another_champion(evidence: Evidence) -> None:
    with pytest.raises(PolicyError, match="version 9, expected the champion"):
        decide(on_probation(), evidence, POLICY, night(9))


@pytest.mark.parametrize("make", [facts, tuple])
def test_no_drift_gives_the_day_of_the_next_training(
    make: Callable[[], tuple[DriftFact, ...]],
) -> None:
    _, [decision] = run(START, [(4, replace(QUIET, features=make()))])
    assert decision.reason == (
        "performance not measured yet, no drift that asks for a retraining, next scheduled "
        "training "
        "in 3 days"
    )


def test_one_bad_window_is_told_where_more_are_needed_to_ask_for_a_retraining() -> None:
    once = (change(-14), change(-14, 0.0, "log_loss"))
    state, [decision] = run(START, [(4, replace(QUIET, performance=once))])
    assert [streak.n_bad for streak in state.streaks if streak.metric == "roc_auc"] == [1]
    assert decision.rule == "nothing"
    assert decision.reason == (
        "significantly worse than the reference: roc_auc on 1 of the 2 windows in a row needed, "
        "no drift that asks for a retraining, next scheduled training in 3 days"
    )
    _, [decision] = run(START, [(4, replace(QUIET, performance=once[1:]))])
    assert decision.reason.startswith("no loss of performance, no drift")
