"""The stored decisions decided again, as nights of the policy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from churn_spark.errors import MissingTableError
from churn_spark.monitoring.policy.history import Entry
from churn_spark.monitoring.policy.policy import adopt, release, succeed
from churn_spark.monitoring.policy.policy_state import Decision, PolicyState, to_json
from churn_spark.monitoring.policy.replay import Night, replay


def count_differences(entries: Sequence[Entry]) -> int:
    """Decisions that don't come out again, byte for byte, of what the one before has left.

    What a human has done is a decision like any other: it is done again, not decided.
    """
    n_different = 0
    state: PolicyState | None = None
    for entry in entries:
        n_different += not (entry.before == state or state is None) or not _comes_out(entry)
        state = entry.after or state
    return n_different


def _comes_out(entry: Entry) -> bool:
    if entry.before is None or entry.after is None:
        return entry.evidence is None
    if entry.evidence is not None:
        [step] = replay(entry.before, [_night_of(entry)], entry.policy)
        again = to_json(step.decision), to_json(step.after)
        return again == (to_json(entry.decision), to_json(entry.after))
    rule, version = entry.decision.rule, entry.decision.version
    if rule == "released":
        return entry.after == release(entry.before)
    if rule == "unfit":
        return entry.after == entry.before
    if version is None:
        return False
    if rule == "replaced":
        return entry.after == succeed(entry.before, version, entry.policy, entry.decision.night)
    return entry.after == adopt(entry.before, version, entry.policy)


def _night_of(entry: Entry) -> Night:
    assert entry.evidence is not None
    champion = entry.before.champion if entry.before else None
    return Night(entry.decision.night, entry.evidence, champion)


def judged_nights(entries: Sequence[Entry]) -> tuple[PolicyState, list[Night], list[Decision]]:
    """The state before the first night that was judged, the nights, and what was decided on them.

    Nights on which thresholds were calibrated come twice, and what was decided of that is left out;
    so is what was decided of the order of lists. A challenger that its night has asked for is
    judged by the same evidence once more; one that was waiting, by the only evidence of its night.

    Raises:
        MissingTableError: if no night was judged yet.
    """
    judged: list[Entry] = []
    for entry in entries:
        known = entry.evidence
        if entry.before is None or known is None or known.order is not None:
            continue
        if known.challenger is None:
            judged.append(entry)
        elif not judged or judged[-1].decision.night != entry.decision.night:
            judged.append(replace(entry, evidence=replace(known, challenger=None)))
    if not judged or judged[0].before is None:
        raise MissingTableError("found no night that was judged, expected some: run `nightly`")
    nights = [_night_of(entry) for entry in judged]
    decided = [e.decision for e in judged if e.evidence and e.evidence.wander is None]
    return judged[0].before, nights, decided
