"""The stored decisions as values: what a night stands on, and who is champion at its beginning."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from churn_spark.config import PolicyConfig
from churn_spark.contracts.registry_state import RegistryState
from churn_spark.monitoring.policy.evidence import Evidence
from churn_spark.monitoring.policy.policy import start_policy
from churn_spark.monitoring.policy.policy_state import Calibration, Decision, PolicyState

STANDING_RULES = ("first", "human", "released", "replaced")
"""Rules of what stands at the beginning of a night: a rerun keeps it and decides after it."""

JUDGING_RULES = ("challenger", "unfit")
"""Rules by which a challenger that was waiting is promoted or dropped, first thing on a night."""

_TAKING_OVER = ("promote", "roll_back")
"""Kinds of decisions after which another model is in use."""


@dataclass(frozen=True)
class Entry:
    """One decision as it is stored.

    Attributes:
        sequence: order within the night.
        decision: what was decided.
        before: what the policy remembered; none before it had anything to.
        evidence: what it knew; none where a human decided.
        after: what it remembers now; none while there is no model.
        policy: the thresholds in force.
    """

    sequence: int
    decision: Decision
    before: PolicyState | None
    evidence: Evidence | None
    after: PolicyState | None
    policy: PolicyConfig

    @property
    def step(self) -> str:
        """The note that the decision leaves in the registry once it is carried out."""
        one = self.decision
        return f"{one.night}/{self.sequence}/{one.kind}/{one.version}"


def of_night(entries: Sequence[Entry], night: date) -> tuple[Entry, ...]:
    """The decisions of one night, in their order."""
    return tuple(entry for entry in entries if entry.decision.night == night)


def replace_night(
    entries: Sequence[Entry], night: date, tonight: Sequence[Entry]
) -> tuple[Entry, ...]:
    """All decisions, those of one night replaced and numbered anew."""
    numbered = tuple(
        Entry(number, e.decision, e.before, e.evidence, e.after, e.policy)
        for number, e in enumerate(tonight)
    )
    earlier = tuple(entry for entry in entries if entry.decision.night < night)
    later = tuple(entry for entry in entries if entry.decision.night > night)
    return (*earlier, *numbered, *later)


def last_before(entries: Sequence[Entry], night: date) -> Entry | None:
    """The newest entry that the decisions of a night stand on.

    What stands at the beginning of the same night is among them.
    """
    before = [entry for entry in entries if entry.decision.night < night]
    known = [*before, *standing_on(entries, night)]
    return known[-1] if known else None


def standing_on(entries: Sequence[Entry], night: date) -> tuple[Entry, ...]:
    """What a rerun of a night keeps and decides after: all up to what a human has last done."""
    tonight = of_night(entries, night)
    standing = [
        number
        for number, entry in enumerate(tonight, start=1)
        if entry.decision.rule in STANDING_RULES
        # A night that waits for a human has the rule `human` as well, and evidence.
        and entry.evidence is None
    ]
    return tonight[: standing[-1]] if standing else ()


def waiting_challenger(
    entries: Sequence[Entry], registered: RegistryState, night: date
) -> str | None:
    """Version that waits to be judged on a night; none where none does.

    It is the registry's challenger, unless a decision has named it before. A rerun judges the one
    that its night has judged before, though that waits no more.
    """
    again = of_night(entries, night)[len(standing_on(entries, night)) :]
    if again and again[0].decision.rule in JUDGING_RULES:
        return again[0].decision.version
    version = registered.challenger
    return None if version in judged_versions(entries, registered) else version


def judged_versions(entries: Sequence[Entry], registered: RegistryState) -> frozenset[str | None]:
    """The versions that a decision was about, and the champion."""
    named = {entry.decision.version for entry in entries}
    return frozenset({*named, registered.champion})


def newest_succession(entries: Sequence[Entry], night: date) -> date | None:
    """The newest night up to this one on which another model took over from an unusable one."""
    nights = [e.decision.night for e in entries if e.decision.rule == "replaced"]
    return max((one for one in nights if one <= night), default=None)


def newest_takeover(entries: Sequence[Entry], night: date) -> date | None:
    """The newest night up to this one on which another model came into use, for any reason."""
    nights = [e.decision.night for e in entries if e.decision.kind in _TAKING_OVER]
    return max((one for one in nights if one <= night), default=None)


def champion_at(entries: Sequence[Entry], registered: RegistryState, night: date) -> str | None:
    """Version that is champion at the beginning of a night; none before the first training.

    A rerun of a night sees the champion of that night and not the one it has promoted.
    """
    entry = last_before(entries, night)
    if entry is None or entry.after is None:
        return registered.champion
    return entry.after.champion


def calibration_at(entries: Sequence[Entry], night: date) -> Calibration | None:
    """The thresholds that are in force on a night; none before the first calibration."""
    entry = last_before(entries, night)
    return entry.after.calibration if entry is not None and entry.after is not None else None


def is_first_night(entries: Sequence[Entry], registered: RegistryState, night: date) -> bool:
    """Whether the first model is still to be trained on the night, or to be written down.

    It is trained and not written down where the night was interrupted between the two.
    """
    entry = last_before(entries, night)
    if entry is not None and entry.after is not None:
        return False
    return registered.champion is None or registered.trained == night


def newest_step(entries: Sequence[Entry]) -> str:
    """The note of the newest decision about the champion; empty where there was none."""
    steps = [entry.step for entry in entries if entry.decision.kind in _TAKING_OVER]
    return steps[-1] if steps else ""


def first_state(registered: RegistryState, config: PolicyConfig, night: date) -> PolicyState | None:
    """The state where no decision is stored yet; none if there is no champion either."""
    if registered.champion is None or registered.trained is None:
        return None
    return start_policy(registered.champion, min(registered.trained, night), config)
