"""The table `decisions`: what was decided on which night, and what the policy remembers of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from pyspark.sql import functions as F

from churn_spark.config import Config, PolicyConfig
from churn_spark.contracts.tables import DECISIONS
from churn_spark.lakehouse.schema import struct_of
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.models.registry import ModelRegistry
from churn_spark.monitoring.policy.evidence import Evidence
from churn_spark.monitoring.policy.policy import adopt, start_policy
from churn_spark.monitoring.policy.policy_state import Decision, PolicyState, from_json, to_json

STANDING_RULES = ("first", "human", "released")
"""Rules of what stands at the beginning of a night: a rerun keeps it and decides after it."""


@dataclass(frozen=True)
class Entry:
    """One row of the table.

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


def read_entries(lakehouse: Lakehouse, first: date | None = None) -> list[Entry]:
    """The decisions since a date, in their order; one to three a night come to the driver."""
    if not lakehouse.exists(DECISIONS):
        return []
    rows = lakehouse.read(DECISIONS)
    if first is not None:
        rows = rows.filter(F.col("run_date") >= F.lit(first))
    return [
        Entry(
            row.sequence,
            Decision(row.run_date, row.kind, row.rule, row.reason, row.version),
            from_json(PolicyState, row.state_before) if row.state_before else None,
            from_json(Evidence, row.evidence) if row.evidence else None,
            from_json(PolicyState, row.state_after) if row.state_after else None,
            PolicyConfig.model_validate_json(row.policy),
        )
        for row in rows.orderBy("run_date", "sequence").collect()
    ]


def write_night(lakehouse: Lakehouse, night: date, entries: Sequence[Entry]) -> None:
    """Replace the decisions of a night."""
    rows = [
        (
            night,
            number,
            entry.decision.kind,
            entry.decision.rule,
            entry.decision.reason,
            entry.decision.version,
            to_json(entry.before) if entry.before else None,
            to_json(entry.evidence) if entry.evidence else None,
            entry.policy.model_dump_json(),
            to_json(entry.after) if entry.after else None,
        )
        for number, entry in enumerate(entries)
    ]
    frame = lakehouse.spark.createDataFrame(rows, struct_of(DECISIONS))
    lakehouse.replace(frame, DECISIONS, {"run_date": [night]})


def append_entry(lakehouse: Lakehouse, entries: Sequence[Entry], entry: Entry) -> None:
    """Add what a human has done to its night, after all that the night has decided."""
    night = entry.decision.night
    tonight = [one for one in entries if one.decision.night == night]
    write_night(lakehouse, night, [*tonight, entry])


def last_before(entries: Sequence[Entry], night: date) -> Entry | None:
    """The newest entry that the decisions of a night stand on.

    What stands at the beginning of the same night is among them.
    """
    before = [entry for entry in entries if entry.decision.night < night]
    known = [*before, *standing_on(entries, night)]
    return known[-1] if known else None


def standing_on(entries: Sequence[Entry], night: date) -> list[Entry]:
    """What a rerun of a night keeps and decides after: all up to what a human has last done."""
    tonight = [entry for entry in entries if entry.decision.night == night]
    standing = [
        number
        for number, entry in enumerate(tonight, start=1)
        if entry.decision.rule in STANDING_RULES
        # A night that waits for a human has the rule `human` as well, and evidence.
        and entry.evidence is None
    ]
    return tonight[: standing[-1]] if standing else []


def champion_at(lakehouse: Lakehouse, registry: ModelRegistry, night: date) -> str | None:
    """Version that is champion at the beginning of a night; none before the first training.

    A rerun of a night sees the champion of that night and not the one it has promoted.
    """
    entry = last_before(read_entries(lakehouse), night)
    if entry is None or entry.after is None:
        return registry.champion_version()
    return entry.after.champion


def is_first_night(lakehouse: Lakehouse, registry: ModelRegistry, night: date) -> bool:
    """Whether the first model is still to be trained on the night, or to be written down.

    It is trained and not written down where the night was interrupted between the two.
    """
    entry = last_before(read_entries(lakehouse), night)
    if entry is not None and entry.after is not None:
        return False
    champion = registry.champion_version()
    return champion is None or registry.trained_on(champion)["as_of"] == str(night)


def settle(lakehouse: Lakehouse, registry: ModelRegistry, config: Config, night: date) -> None:
    """Bring the registry and the newest decision together, before a night and after it.

    The registry notes which decision about the champion it follows. Where that isn't the newest
    one, because a night was interrupted or a rerun has decided otherwise, it is carried out. A
    champion that differs though the note is right was named by a human, and is adopted as a
    decision of that night.
    """
    entries = read_entries(lakehouse)
    named = registry.champion_version()
    last = entries[-1] if entries else None
    if last is None or last.after is None or named is None:
        return
    step = newest_step(entries)
    if registry.last_step() != step:
        registry.set_champion(last.after.champion, step)
    elif named != last.after.champion:
        adopt_named(lakehouse, registry, config, entries, named, max(night, last.decision.night))


def newest_step(entries: Sequence[Entry]) -> str:
    """The note of the newest decision about the champion; empty where there was none."""
    steps = [
        step_of(entry.decision, entry.sequence)
        for entry in entries
        if entry.decision.kind in ("promote", "roll_back")
    ]
    return steps[-1] if steps else ""


def adopt_named(
    lakehouse: Lakehouse,
    registry: ModelRegistry,
    config: Config,
    entries: Sequence[Entry],
    version: str,
    night: date,
) -> None:
    """Write down that a human has named a champion, and that the registry follows."""
    before = entries[-1].after
    assert before is not None
    reason = f"version {version} was named champion outside the policy"
    decision = Decision(night, "promote", "human", reason, version)
    after = adopt(before, version, config.policy)
    append_entry(lakehouse, entries, Entry(0, decision, before, None, after, config.policy))
    registry.set_champion(version, newest_step(read_entries(lakehouse)))


def first_state(registry: ModelRegistry, config: PolicyConfig, night: date) -> PolicyState | None:
    """The state where no decision is stored yet; none if there is no champion either."""
    champion = registry.champion_version()
    if champion is None:
        return None
    trained = date.fromisoformat(registry.trained_on(champion)["as_of"])
    return start_policy(champion, min(trained, night), config)


def step_of(decision: Decision, sequence: int) -> str:
    """The note that a decision leaves in the registry once it is carried out."""
    return f"{decision.night}/{sequence}/{decision.kind}/{decision.version}"
