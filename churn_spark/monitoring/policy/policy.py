"""When to retrain, promote and roll back: a pure function of the night's evidence.

No clock, no input or output: the same state and evidence give the same decision, so replaying
the stored nights gives the stored decisions byte for byte. Why each rule is there:
docs/adr/0010.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

from churn_spark.config import PolicyConfig
from churn_spark.errors import PolicyError
from churn_spark.monitoring.policy import triggers
from churn_spark.monitoring.policy.calibration import calibrate
from churn_spark.monitoring.policy.evidence import (
    ChallengerComparison,
    Evidence,
    ProbationComparison,
)
from churn_spark.monitoring.policy.hysteresis import (
    breached_share,
    is_apart,
    list_change,
    update_breached,
    update_streaks,
)
from churn_spark.monitoring.policy.order import decide_order
from churn_spark.monitoring.policy.policy_state import Decision, PolicyState
from churn_spark.monitoring.policy.promotion import Ground, judge_challenger
from churn_spark.wording import count_of

PREDICTION = "churn_probability"


def start_policy(champion: str, trained: date, config: PolicyConfig) -> PolicyState:
    """The state on the date on which the first champion was trained."""
    return PolicyState(champion, trained, config.cooldown_days)


def release(state: PolicyState) -> PolicyState:
    """The state after a human has looked: retraining may go on, with a fresh budget."""
    return replace(state, waits_for_human=None, reactions=())


def adopt(state: PolicyState, champion: str, config: PolicyConfig) -> PolicyState:
    """The state after a human has made another version champion: no challenger, no probation."""
    return replace(_promote(state, champion, config), pending=None, waits_for_human=None)


def succeed(state: PolicyState, champion: str, config: PolicyConfig, today: date) -> PolicyState:
    """The state after another model has taken over from one that can't be used any more.

    There is no way back to that one, so no probation. A wait for a human goes on.
    """
    return replace(_promote(state, champion, config), pending=None, last_retrain=today)


def decide(
    state: PolicyState, evidence: Evidence, config: PolicyConfig, today: date
) -> tuple[PolicyState, Decision]:
    """What to do tonight, and what to remember.

    In this order: a broken feed is not judged at all; a champion that fails its probation goes
    back; what waits for a human waits; a challenger is judged; a retraining is asked for. Of too
    few users no drift is judged, and all else is. It may be called again on the same night, once
    there is a challenger: the evidence of a night is not counted twice. Evidence of the wander
    calibrates the thresholds of the nights to come, and decides nothing else; nor does evidence
    of the order of lists, which decides by what those to come are ordered.

    Raises:
        PolicyError: if the evidence is of another champion, or the night is before the last one.
    """
    if state.last_night is not None and today < state.last_night:
        raise PolicyError(
            f"found the night of {today}, expected {state.last_night} or later: decide the "
            "nights in their order, or start from the state before this one"
        )
    if evidence.failed_checks:
        names = ", ".join(sorted(evidence.failed_checks))
        return state, Decision(today, "hold", "data_checks", f"failed data checks: {names}")
    if evidence.order is not None:
        return state, decide_order(evidence.order, today)
    if evidence.wander is not None:
        return calibrate(state, evidence.wander, config, today)
    return _decide_model(state, evidence, config, today)


def _decide_model(
    state: PolicyState, evidence: Evidence, config: PolicyConfig, today: date
) -> tuple[PolicyState, Decision]:
    """What to do about the model."""
    state = _advance(state, evidence, config, today)
    if evidence.probation is not None:
        _check_champion("probation", evidence.probation.champion, state)
        if state.previous is not None and _is_surely_worse(evidence.probation, config):
            return _roll_back(state, evidence.probation, config, today)
    if state.waits_for_human is not None:
        return state, Decision(today, "hold", "human", state.waits_for_human)
    if evidence.challenger is not None:
        _check_champion("challenger", evidence.challenger.champion, state)
        return _judge(state, evidence.challenger, config, today)
    if state.pending is not None:
        asked = state.pending.asked
        return state, Decision(
            today, "hold", "training", f"the challenger asked for on {asked} is not there yet"
        )
    return triggers.ask(state, evidence, config, today)


def _advance(
    state: PolicyState, evidence: Evidence, config: PolicyConfig, today: date
) -> PolicyState:
    """The state with tonight's facts; those of a night that was counted before change nothing."""
    if state.pending and (today - state.pending.asked).days >= config.max_training_days:
        state = replace(state, pending=None)
    if state.probation_end is not None and today >= state.probation_end:
        state = replace(state, previous=None, probation_end=None)
    if state.last_night == today:
        return state
    longest = timedelta(days=max(config.budget_days, config.max_cooldown_days))
    changes = (*evidence.performance, *list_change(evidence.reach, state.champion, config))
    return replace(
        _count_drift(state, evidence, config),
        last_night=today,
        streaks=update_streaks(state.streaks, changes, config),
        reactions=tuple(day for day in state.reactions if today - day < longest),
    )


def _count_drift(state: PolicyState, evidence: Evidence, config: PolicyConfig) -> PolicyState:
    """The state with what has moved tonight; unchanged where too few users can't tell."""
    if not evidence.tells_drift(config):
        return state
    facts = evidence.features + ((evidence.prediction,) if evidence.prediction else ())
    breached = update_breached(state.breached, facts, config, state.calibration)
    share = breached_share(breached, evidence.features)
    is_bad = share >= config.min_breached_share or PREDICTION in breached
    bad_nights = (*state.bad_nights, is_bad)[-config.of_nights :]
    was_apart = bool(state.apart) and state.apart[-1]
    # Remembered for the alert: it retrains nothing (docs/adr/0044).
    apart = (*state.apart, is_apart(was_apart, evidence.joint, config))[-config.of_nights :]
    return replace(state, breached=breached, bad_nights=bad_nights, apart=apart)


def _check_champion(what: str, champion: str, state: PolicyState) -> None:
    if champion != state.champion:
        raise PolicyError(
            f"found a {what} comparison with version {champion}, expected the champion, version "
            f"{state.champion}: compare again"
        )


def _is_surely_worse(comparison: ProbationComparison, config: PolicyConfig) -> bool:
    """Whether the new champion has failed, on enough cancels for the bound to hold."""
    n_positive = comparison.n_positive
    is_enough = n_positive is None or n_positive >= config.min_probation_positives
    return is_enough and comparison.auc_high < config.max_probation_high


def _roll_back(
    state: PolicyState, comparison: ProbationComparison, config: PolicyConfig, today: date
) -> tuple[PolicyState, Decision]:
    assert state.previous is not None
    if comparison.previous != state.previous:
        raise PolicyError(
            f"found a probation comparison with version {comparison.previous}, expected the "
            f"champion before, version {state.previous}: compare again"
        )
    n_positive = comparison.n_positive
    cancels = "" if n_positive is None else f" ({count_of(n_positive, 'cancel')})"
    reason = (
        f"version {state.champion} is worse than version {state.previous} on the same rows"
        f"{cancels}: AUC difference {comparison.auc_difference:+.4f}, upper bound "
        f"{comparison.auc_high:+.4f}, allowed {config.max_probation_high:+.4f}"
    )
    waits = (
        f"version {state.champion} was rolled back on {today}: find out why, then "
        "release retraining"
    )
    back = replace(_promote(state, state.previous, config), pending=None, waits_for_human=waits)
    return back, Decision(today, "roll_back", "probation", reason, state.previous)


def _judge(
    state: PolicyState, challenger: ChallengerComparison, config: PolicyConfig, today: date
) -> tuple[PolicyState, Decision]:
    is_settled = state.previous is None
    verdict = judge_challenger(
        challenger, config, may_renew=_may_renew(state), is_settled=is_settled
    )
    who = f"version {challenger.version} against version {challenger.champion} on the same rows: "
    if verdict.objections:
        reason = who + "; ".join(verdict.objections)
        decision = Decision(today, "reject", "challenger", reason, challenger.version)
        return _reject(state, config), decision
    was_proven = is_settled or not config.roll_back_to_proven
    promoted = replace(
        _promote(state, challenger.version, config),
        pending=None,
        previous=state.champion if was_proven else state.previous,
        probation_end=today + timedelta(days=config.probation_days),
    )
    if verdict.ground == "renewal":
        # One that is no better says nothing about what the cooldown was raised for.
        promoted = replace(promoted, cooldown_days=state.cooldown_days)
    reason = who + _why_promoted(verdict.ground, challenger)
    return promoted, Decision(today, "promote", "challenger", reason, challenger.version)


def _reject(state: PolicyState, config: PolicyConfig) -> PolicyState:
    """The state without the challenger; one of the schedule leaves the cooldown as it was."""
    was_reaction = state.pending is not None and state.pending.trigger in triggers.REACTIONS
    doubled = min(config.max_cooldown_days, 2 * state.cooldown_days)
    cooldown_days = doubled if was_reaction else state.cooldown_days
    return replace(state, pending=None, cooldown_days=cooldown_days)


def _why_promoted(ground: Ground, challenger: ChallengerComparison) -> str:
    auc = f"AUC {challenger.auc_difference:+.4f}, at least {challenger.auc_low:+.4f}"
    if ground == "renewal":
        return (
            f"{auc}, not significantly worse; drift can be judged again with version "
            f"{challenger.version}, and can't with version {challenger.champion}, as the log has "
            "grown too long for its training rows"
        )
    if ground == "probabilities":
        return (
            f"{auc}, not significantly worse; log loss better by "
            f"{-challenger.log_loss_difference:.5f} on dates from {challenger.level_from} on, "
            "significantly"
        )
    return f"{auc}, and nothing else worse than allowed"


def _may_renew(state: PolicyState) -> bool:
    """Whether a challenger that is no worse may do, if drift can be judged again with it.

    One that drift or lost performance has asked for must cure it, a bad window waits for its
    second, and a champion on probation is new.
    """
    was_reaction = bool(state.reactions) and state.reactions[-1] >= state.last_retrain
    is_worse = any(streak.n_bad for streak in state.streaks)
    return not was_reaction and not is_worse and state.previous is None


def _promote(state: PolicyState, champion: str, config: PolicyConfig) -> PolicyState:
    """The state with another champion: nothing has moved from its training rows."""
    return replace(
        state,
        champion=champion,
        cooldown_days=config.cooldown_days,
        breached=(),
        bad_nights=(),
        apart=(),
        streaks=(),
        previous=None,
        probation_end=None,
    )
