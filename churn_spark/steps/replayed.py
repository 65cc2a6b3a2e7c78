"""The stored decisions as nights to be decided again."""

from __future__ import annotations

from collections.abc import Sequence

from churn_spark.decision_log import Entry
from churn_spark.errors import MissingTableError
from churn_spark.monitoring.policy_state import Decision, PolicyState, to_json
from churn_spark.monitoring.replay import Night, replay


def count_differences(entries: Sequence[Entry]) -> int:
    """Decisions that don't come out again, byte for byte, from where they were decided."""
    chains: list[list[Entry]] = []
    for entry in entries:
        if entry.evidence is None or entry.before is None:
            continue
        last = chains[-1][-1] if chains else None
        if last is None or (last.after, last.policy) != (entry.before, entry.policy):
            # A human has acted in between, or the thresholds were changed.
            chains.append([])
        chains[-1].append(entry)
    return sum(_differences(chain) for chain in chains)


def _differences(chain: Sequence[Entry]) -> int:
    start = chain[0].before
    assert start is not None
    steps = replay(start, [_night_of(entry) for entry in chain], chain[0].policy)
    return sum(
        (to_json(step.before), to_json(step.decision), to_json(step.after))
        != tuple(to_json(value) for value in (entry.before, entry.decision, entry.after) if value)
        for entry, step in zip(chain, steps, strict=True)
    )


def _night_of(entry: Entry) -> Night:
    assert entry.evidence is not None
    champion = entry.before.champion if entry.before else None
    return Night(entry.decision.night, entry.evidence, champion)


def judged_nights(entries: Sequence[Entry]) -> tuple[PolicyState, list[Night], list[Decision]]:
    """The state before the first night that was judged, the nights, and what was decided.

    Raises:
        MissingTableError: if no night was judged yet.
    """
    judged = [
        entry
        for entry in entries
        if entry.before and entry.evidence and entry.evidence.challenger is None
    ]
    if not judged or judged[0].before is None:
        raise MissingTableError("found no night that was judged, expected some: run `nightly`")
    nights = [_night_of(entry) for entry in judged]
    return judged[0].before, nights, [entry.decision for entry in judged]
