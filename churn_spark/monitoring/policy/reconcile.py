"""The registry and the newest decision brought together: what has to change, as values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from churn_spark.config import PolicyConfig
from churn_spark.contracts.registry_state import RegistryState
from churn_spark.monitoring.policy.history import (
    Entry,
    newest_step,
    of_night,
    replace_night,
)
from churn_spark.monitoring.policy.policy import adopt
from churn_spark.monitoring.policy.policy_state import Decision


@dataclass(frozen=True)
class Reconciliation:
    """What has to be written so that the registry and the decisions agree.

    Attributes:
        entries: all decisions as they must stand.
        changed_night: the night whose decisions have to be written; none if all are.
        champion: version that the registry has to name; none if it names the right one.
        step: the note that goes with it.
    """

    entries: tuple[Entry, ...]
    changed_night: date | None = None
    champion: str | None = None
    step: str = ""


def reconcile(
    entries: Sequence[Entry], registered: RegistryState, policy: PolicyConfig, night: date
) -> Reconciliation:
    """What brings the registry and the newest decision together, before a night or after it.

    The registry notes which decision about the champion it follows. Where that isn't the newest
    one, because a night was interrupted or a rerun has decided otherwise, it is carried out. A
    champion that differs though the note is right was named by a human, and is adopted as a
    decision of that night.
    """
    entries = tuple(entries)
    last = entries[-1] if entries else None
    if last is None or last.after is None or registered.champion is None:
        return Reconciliation(entries)
    step = newest_step(entries)
    if registered.step != step:
        return Reconciliation(entries, champion=last.after.champion, step=step)
    if registered.champion == last.after.champion:
        return Reconciliation(entries)
    adopted = adopt_external(last, registered.champion, policy, max(night, last.decision.night))
    after = add_to_night(entries, adopted)
    return Reconciliation(after, adopted.decision.night, registered.champion, newest_step(after))


def adopt_external(last: Entry, version: str, policy: PolicyConfig, night: date) -> Entry:
    """The decision that writes down a champion whom a human has named outside the policy."""
    assert last.after is not None
    reason = f"version {version} was named champion outside the policy"
    decision = Decision(night, "promote", "human", reason, version)
    return Entry(0, decision, last.after, None, adopt(last.after, version, policy), policy)


def add_to_night(entries: Sequence[Entry], entry: Entry) -> tuple[Entry, ...]:
    """All decisions, with what a human has done after all that its night has decided."""
    night = entry.decision.night
    return replace_night(entries, night, [*of_night(entries, night), entry])
