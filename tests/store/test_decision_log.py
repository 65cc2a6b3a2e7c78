"""The table of decisions, and what a night finds that follows an interrupted one."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import cast

import pytest
from nights import DRIFTED, POLICY, QUIET, START, Registry, challenger, decided, night

from churn_spark.contracts.registry_state import RegistryState
from churn_spark.models.registry import ModelRegistry
from churn_spark.monitoring.policy.evidence import Evidence, ProbationComparison
from churn_spark.monitoring.policy.history import (
    Entry,
    champion_at,
    is_first_night,
    last_before,
    standing_on,
)
from churn_spark.monitoring.policy.policy_state import Decision
from churn_spark.pipeline.context import JobContext
from churn_spark.pipeline.dates import LogDates
from churn_spark.pipeline.gather import Night, settle
from churn_spark.pipeline.release import release_policy
from churn_spark.stores.decisions import read_entries, write_night
from churn_spark.timeline import LogSpan

PROMOTED = f"{night(7)}/1/promote/2"
"""The note of the promotion, once it is carried out."""


@pytest.fixture
def promoted(context: JobContext) -> list[Entry]:
    """A week of quiet, then the scheduled challenger is promoted."""
    entries = [decided(START, QUIET, night(6))]
    state = entries[0].after
    assert state is not None
    asked = decided(state, QUIET, night(7))
    assert asked.after is not None
    rival = Evidence(22_000, features=QUIET.features, challenger=challenger())
    judged = decided(asked.after, rival, night(7))
    write_night(context.lakehouse, night(6), entries)
    write_night(context.lakehouse, night(7), [asked, judged])
    return [*entries, asked, judged]


def night_with(context: JobContext, registry: Registry, day: date) -> Night:
    log = LogDates(LogSpan(day, day), day)
    return Night(day, log, read_entries(context.lakehouse), registry.state())


def settle_with(context: JobContext, registry: Registry, day: date) -> None:
    known = night_with(context, registry, day)
    settle(context.lakehouse, cast(ModelRegistry, registry), known, context.config.policy)


def test_entries_come_back_as_they_were(context: JobContext, promoted: list[Entry]) -> None:
    found = read_entries(context.lakehouse)
    assert [entry.sequence for entry in found] == [0, 0, 1]
    for entry, expected in zip(found, promoted, strict=True):
        assert (entry.decision, entry.before) == (expected.decision, expected.before)
        assert (entry.evidence, entry.after) == (expected.evidence, expected.after)
        assert entry.policy == POLICY
    write_night(context.lakehouse, night(7), promoted[1:2])
    assert len(read_entries(context.lakehouse)) == 2
    assert [e.decision.night for e in read_entries(context.lakehouse, night(7))] == [night(7)]


def test_champion_of_a_night_is_what_the_nights_before_have_left(
    context: JobContext, promoted: list[Entry]
) -> None:
    registered = Registry("2").state()
    at = [champion_at(promoted, registered, night(number)) for number in (5, 7, 8)]
    # Before the first decision only the registry knows.
    assert at == ["2", "1", "2"]


@pytest.mark.parametrize(
    ("champion", "trained", "expected"), [(None, 5, True), ("1", 5, True), ("1", 4, False)]
)
def test_first_night_is_one_without_a_model_or_with_its_own_not_written_down(
    champion: str | None, trained: int, expected: bool
) -> None:
    registered = RegistryState(champion, trained=night(trained) if champion else None)
    assert is_first_night([], registered, night(5)) == expected


def test_night_is_not_the_first_after_a_decision_with_a_model(
    promoted: list[Entry],
) -> None:
    registered = RegistryState("2", trained=night(8))
    assert not is_first_night(promoted, registered, night(8))
    # Before the first decision, and its champion was trained on another day.
    assert not is_first_night(promoted, registered, night(5))


def test_promotion_that_was_not_carried_out_is_carried_out(
    context: JobContext, promoted: list[Entry]
) -> None:
    registry = Registry("1")
    settle_with(context, registry, night(8))
    assert (registry.champion, registry.step) == ("2", PROMOTED)
    assert len(read_entries(context.lakehouse)) == 3


def test_promotion_that_a_rerun_took_back_is_not_taken_for_a_human_choice(
    context: JobContext, promoted: list[Entry]
) -> None:
    registry = Registry("2", PROMOTED)
    asked = promoted[-2]
    assert asked.after is not None
    worse = Evidence(22_000, features=QUIET.features, challenger=challenger(gain=-0.1))
    rejected = decided(asked.after, worse, night(7))
    assert rejected.decision.kind == "reject"
    write_night(context.lakehouse, night(7), [asked, rejected])
    settle_with(context, registry, night(8))
    # No decision about the champion is left, so there is none to note.
    assert (registry.champion, registry.step) == ("1", "")
    assert len(read_entries(context.lakehouse)) == 3


def test_promotion_by_a_rerun_takes_the_place_of_the_one_before(
    context: JobContext, promoted: list[Entry]
) -> None:
    registry = Registry("2", PROMOTED)
    asked = promoted[-2]
    assert asked.after is not None
    third = Evidence(22_000, features=QUIET.features, challenger=challenger("3"))
    write_night(context.lakehouse, night(7), [asked, decided(asked.after, third, night(7))])
    # As by a night that is killed before it can tell the registry.
    settle_with(context, registry, night(8))
    assert registry.champion == "3"
    assert len(read_entries(context.lakehouse)) == 3


def test_human_choice_after_a_promotion_was_taken_back_is_adopted(
    context: JobContext, promoted: list[Entry]
) -> None:
    registry = Registry("2", PROMOTED)
    held = Decision(night(7), "hold", "data_checks", "failed data checks: volume")
    before = promoted[0].after
    write_night(context.lakehouse, night(7), [Entry(0, held, before, None, before, POLICY)])
    settle_with(context, registry, night(7))
    assert registry.champion == "1"
    # Mended and done again, with nothing to promote.
    assert before is not None
    write_night(context.lakehouse, night(7), [decided(before, QUIET, night(7))])
    settle_with(context, registry, night(7))
    registry.champion = "2"
    settle_with(context, registry, night(8))
    newest = read_entries(context.lakehouse)[-1]
    assert (newest.decision.rule, newest.decision.version) == ("human", "2")


def test_roll_back_that_was_not_carried_out_outlives_a_release(
    context: JobContext, promoted: list[Entry]
) -> None:
    state = promoted[-1].after
    assert state is not None
    worse = replace(QUIET, probation=ProbationComparison("2", "1", -0.3, -0.2))
    back = decided(state, worse, night(9))
    assert back.decision.kind == "roll_back"
    write_night(context.lakehouse, night(9), [back])
    # Killed before the registry was told; then a human looks.
    registry = Registry("2", PROMOTED)
    known = night_with(context, registry, night(9))
    release_policy(context.lakehouse, known, "looked", context.config.policy)
    settle_with(context, registry, night(9))
    assert registry.champion == "1"
    assert read_entries(context.lakehouse)[-1].decision.rule == "released"


def test_note_that_an_interruption_has_left_out_is_written(
    context: JobContext, promoted: list[Entry]
) -> None:
    registry = Registry("2")
    settle_with(context, registry, night(7))
    assert registry.step == PROMOTED
    registry.champion = "1"
    settle_with(context, registry, night(8))
    assert read_entries(context.lakehouse)[-1].decision.rule == "human"


def test_human_may_name_one_champion_after_the_other(
    context: JobContext, promoted: list[Entry]
) -> None:
    registry = Registry("1", PROMOTED)
    for version in ("1", "5", "2"):
        registry.champion = version
        settle_with(context, registry, night(8))
        settle_with(context, registry, night(8))
    named = [e.decision.version for e in read_entries(context.lakehouse)[3:]]
    assert (named, registry.champion) == (["1", "5", "2"], "2")


def test_champion_that_a_human_named_is_adopted_and_stands(
    context: JobContext, promoted: list[Entry]
) -> None:
    registry = Registry("1", PROMOTED)
    settle_with(context, registry, night(8))
    *_, newest = read_entries(context.lakehouse)
    assert (newest.decision.rule, newest.decision.version) == ("human", "1")
    assert newest.after is not None
    assert (newest.after.champion, newest.after.previous) == ("1", None)
    assert champion_at(read_entries(context.lakehouse), registry.state(), night(8)) == "1"


def test_night_that_waits_for_a_human_is_decided_anew_by_a_rerun(
    context: JobContext, promoted: list[Entry]
) -> None:
    state = promoted[-1].after
    assert state is not None
    waiting = decided(replace(state, waits_for_human="a look"), QUIET, night(8))
    assert (waiting.decision.kind, waiting.decision.rule) == ("hold", "human")
    write_night(context.lakehouse, night(8), [waiting])
    entries = read_entries(context.lakehouse)
    assert standing_on(entries, night(8)) == ()
    found = last_before(entries, night(8))
    assert found is not None
    assert found.decision == promoted[-1].decision


def test_nothing_is_to_settle_without_decisions_or_without_a_model(context: JobContext) -> None:
    settle_with(context, Registry("1"), night(1))
    assert read_entries(context.lakehouse) == ()
    held = Decision(night(1), "hold", "data_checks", "failed data checks: volume")
    write_night(context.lakehouse, night(1), [Entry(0, held, None, None, None, POLICY)])
    settle_with(context, Registry(None), night(2))
    [entry] = read_entries(context.lakehouse)
    assert (entry.before, entry.evidence, entry.after) == (None, None, None)


def test_memory_goes_from_night_to_night(context: JobContext) -> None:
    first = decided(START, DRIFTED, night(4))
    write_night(context.lakehouse, night(4), [first])
    [stored] = read_entries(context.lakehouse)
    assert stored.after is not None
    second = decided(stored.after, DRIFTED, night(5))
    assert (second.decision.kind, second.decision.rule) == ("retrain", "drift")
