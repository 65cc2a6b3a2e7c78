"""A human has looked: the policy that waited for it goes on."""

from __future__ import annotations

from dataclasses import replace

from churn_spark.config import PolicyConfig
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.monitoring.policy.history import Entry, of_night
from churn_spark.monitoring.policy.policy import release
from churn_spark.monitoring.policy.policy_state import Decision
from churn_spark.monitoring.policy.reconcile import add_to_night
from churn_spark.pipeline.console import say
from churn_spark.pipeline.gather import Night, store_decisions


def release_policy(lakehouse: Lakehouse, night: Night, reason: str, policy: PolicyConfig) -> Night:
    """Let the policy go on after a human has looked; nothing happens if it doesn't wait.

    Returns:
        The night that is to be decided anew: the same, or the newest decided one if it is later.
    """
    last = night.entries[-1] if night.entries else None
    if last is None or last.after is None or last.after.waits_for_human is None:
        say("retrain_if_needed", "nothing waits for a release")
        return night
    date = max(night.date, last.decision.night)
    decision = Decision(date, "keep", "released", reason)
    entry = Entry(0, decision, last.after, None, release(last.after), policy)
    entries = add_to_night(night.entries, entry)
    after = store_decisions(lakehouse, night, date, list(of_night(entries, date)))
    return replace(after, date=date)
