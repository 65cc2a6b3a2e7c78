"""What is written down of a night: what the policy decides, and what a human has done."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date as Date

from churn_spark import job
from churn_spark.decision_log import (
    Entry,
    append_entry,
    first_state,
    read_entries,
    write_night,
)
from churn_spark.models.registry import ModelRegistry
from churn_spark.monitoring.data_quality.checks import CheckResult, failed_checks
from churn_spark.monitoring.policy.evidence import Evidence
from churn_spark.monitoring.policy.policy import decide, release
from churn_spark.monitoring.policy.policy_state import Decision, PolicyState


def decide_night(
    context: job.JobContext, date: Date, before: PolicyState, evidence: Evidence
) -> Entry:
    """What the policy decides of some evidence, as a row of the table."""
    policy = context.config.policy
    after, decision = decide(before, evidence, policy, date)
    return Entry(0, decision, before, evidence, after, policy)


def begin(context: job.JobContext, date: Date, version: str) -> None:
    """Write down that the first model was trained: what all later decisions stand on."""
    registry = ModelRegistry(context.config.registry, context.config.lakehouse)
    state = first_state(registry, context.config.policy, date)
    decision = Decision(date, "promote", "first", "there was no model before", version)
    entry = Entry(0, decision, None, None, state, context.config.policy)
    write_night(context.lakehouse, date, [entry])


def hold(context: job.JobContext, date: Date, checks: Sequence[CheckResult]) -> Entry:
    """Write down that the data failed their checks on a night before the first training."""
    reason = f"the data failed their checks: {', '.join(failed_checks(checks))}"
    decision = Decision(date, "hold", "data_checks", reason)
    entry = Entry(0, decision, None, None, None, context.config.policy)
    write_night(context.lakehouse, date, [entry])
    return entry


def release_policy(context: job.JobContext, date: Date, reason: str) -> Date:
    """Let the policy go on after a human has looked; nothing happens if it doesn't wait.

    Returns:
        The night that is to be decided anew: the date, or the newest decided one if it is later.
    """
    config, lakehouse = context.config, context.lakehouse
    entries = read_entries(lakehouse)
    last = entries[-1] if entries else None
    if last is None or last.after is None or last.after.waits_for_human is None:
        job.say("retrain_if_needed", "nothing waits for a release")
        return date
    night = max(date, last.decision.night)
    decision = Decision(night, "keep", "released", reason)
    entry = Entry(0, decision, last.after, None, release(last.after), config.policy)
    append_entry(lakehouse, entries, entry)
    return night
