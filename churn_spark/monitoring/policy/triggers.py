"""Whether to ask for a retraining: lost performance before drift before the calendar."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date

from churn_spark.config import PolicyConfig
from churn_spark.monitoring.policy.evidence import Evidence
from churn_spark.monitoring.policy.hysteresis import breached_share
from churn_spark.monitoring.policy.policy_state import Decision, Pending, PolicyState, Trigger
from churn_spark.wording import count_of, name_some

REACTIONS = ("performance", "drift")
_NAMED = 5


@dataclass(frozen=True)
class Call:
    """A reason to retrain, and the limit that forbids it for now.

    Attributes:
        trigger: what asks for it.
        reason: why, with the numbers.
        blocked_by: name of the rule that holds it back; none if nothing does.
        because: why it does.
    """

    trigger: Trigger
    reason: str
    blocked_by: str | None = None
    because: str = ""


def ask(
    state: PolicyState, evidence: Evidence, config: PolicyConfig, today: date
) -> tuple[PolicyState, Decision]:
    """Retrain for the first reason that nothing holds back; else hold for the first one.

    A reason that is held back never hides a later one: drift in its cooldown must not prevent the
    scheduled retraining.

    Args:
        state: with tonight's facts.
        evidence: of the night; that of too few users tells nothing of drift.
        config: the policy's thresholds.
        today: date of the decision.
    """
    calls = list(_calls(state, evidence, config, today))
    free = next((call for call in calls if call.blocked_by is None), None)
    if free:
        reactions = (*state.reactions, today) if free.trigger in REACTIONS else state.reactions
        asked = replace(
            state, last_retrain=today, reactions=reactions, pending=Pending(free.trigger, today)
        )
        return asked, Decision(today, "retrain", free.trigger, free.reason)
    if not calls:
        due = config.schedule_days - (today - state.last_retrain).days
        is_known = evidence.tells_drift(config)
        few = describe_few_users(evidence, config)
        drift = _describe_no_drift(evidence) if is_known else few
        rule = "nothing" if is_known else "too_few_rows"
        reason = (
            f"{_describe_performance(state, config)}, {drift}, next scheduled training in "
            f"{count_of(due, 'day')}"
        )
        return state, Decision(today, "keep", rule, reason)
    first = next((call for call in calls if call.blocked_by == "budget"), calls[0])
    assert first.blocked_by is not None
    if first.blocked_by == "budget":
        waits = (
            f"{first.because} and {first.reason}: find out why they don't help, then release "
            "retraining"
        )
        state = replace(state, waits_for_human=f"since {today}, {waits}")
    return state, Decision(today, "hold", first.blocked_by, f"{first.reason}; {first.because}")


def describe_few_users(evidence: Evidence, config: PolicyConfig) -> str:
    """That drift is not judged, of too few users, and how many it takes."""
    users = f"only {count_of(evidence.n_rows, 'user')}, {config.min_rows} needed"
    return f"drift is not judged ({users})"


def _describe_no_drift(evidence: Evidence) -> str:
    """That there is none, unless nothing can be compared yet."""
    judged = [fact for fact in evidence.features if not fact.is_trending]
    is_blind = bool(judged) and not any(fact.is_comparable for fact in judged)
    return "no feature can be compared yet" if is_blind else "no drift that asks for a retraining"


def _describe_performance(state: PolicyState, config: PolicyConfig) -> str:
    """That nothing has been lost, or on too few windows yet, unless nothing has been measured."""
    bad = [f"{streak.metric} on {streak.n_bad}" for streak in state.streaks if streak.n_bad]
    if bad:
        needed = f"of the {count_of(config.bad_windows, 'window')} in a row needed"
        return f"significantly worse than the reference: {', '.join(bad)} {needed}"
    return "no loss of performance" if state.streaks else "performance not measured yet"


def is_drift_confirmed(state: PolicyState, config: PolicyConfig) -> bool:
    """Whether enough of the newest nights were bad."""
    return sum(state.bad_nights) >= config.bad_nights


def is_joint_drift_confirmed(state: PolicyState, config: PolicyConfig) -> bool:
    """Whether the users could be told from the training rows on enough of the newest nights."""
    return sum(state.apart) >= config.bad_nights


def bad_nights_of(state: PolicyState) -> str:
    """How many of the newest nights had drift: `2 of the last 3 runs had drift`."""
    n_bad = sum(state.bad_nights)
    return f"{n_bad} of the last {count_of(len(state.bad_nights), 'run')} had drift"


def _calls(
    state: PolicyState, evidence: Evidence, config: PolicyConfig, today: date
) -> Iterator[Call]:
    lost = [streak for streak in state.streaks if streak.n_bad >= config.bad_windows]
    if lost:
        *others, last = (f"{streak.metric} on {streak.n_bad}" for streak in lost)
        windows = "window" if lost[-1].n_bad == 1 else "windows in a row"
        reason = f"significantly worse than the reference: {', '.join([*others, last])} {windows}"
        if evidence.n_unmatched:
            reason += (
                f" (lists without a control group had {count_of(evidence.n_unmatched, 'user')}: "
                "calls that keep users have the same effect)"
            )
        yield _with_limits(Call("performance", reason), state, config, today)
    if evidence.tells_drift(config) and is_drift_confirmed(state, config):
        share = breached_share(state.breached, evidence.features)
        reason = (
            f"{bad_nights_of(state)}: "
            f"{name_some(state.breached, _NAMED) or 'no more features today'}, {share:.0%} "
            "of feature importance"
        )
        yield _with_limits(Call("drift", reason), state, config, today)
    age = (today - state.last_retrain).days
    if age >= config.schedule_days:
        reason = f"{count_of(age, 'day')} since the last training (limit {config.schedule_days})"
        yield _with_limits(Call("schedule", reason), state, config, today)


def _with_limits(call: Call, state: PolicyState, config: PolicyConfig, today: date) -> Call:
    """The call with the first limit that holds it back."""
    age = (today - state.last_retrain).days
    if age < config.min_days_between:
        because = (
            f"only {count_of(age, 'day')} since the last training, {config.min_days_between} needed"
        )
        return replace(call, blocked_by="too_soon", because=because)
    if call.trigger == "drift" and state.reactions:
        since = (today - state.reactions[-1]).days
        if since < state.cooldown_days:
            because = (
                f"drift is ignored until {count_of(state.cooldown_days, 'day')} after the "
                f"retraining of {state.reactions[-1]}"
            )
            return replace(call, blocked_by="cooldown", because=because)
    if call.trigger in REACTIONS:
        recent = [day for day in state.reactions if (today - day).days < config.budget_days]
        if len(recent) >= config.max_retrains:
            because = (
                f"{count_of(len(recent), 'retraining')} in {count_of(config.budget_days, 'day')} "
                f"already (limit {config.max_retrains})"
            )
            return replace(call, blocked_by="budget", because=because)
    return call
