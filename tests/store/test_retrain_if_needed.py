"""What a human releases, and what a rerun that decides otherwise leaves in the registry."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import cast

import pytest
from nights import POLICY, QUIET, START, night

from churn_spark.decision_log import Entry, last_before, read_entries, standing_on, write_night
from churn_spark.job import JobContext
from churn_spark.models.registry import ModelRegistry
from churn_spark.monitoring.policy import decide
from churn_spark.monitoring.policy_state import Decision, PolicyState
from churn_spark.steps.replayed import count_differences
from jobs.retrain_if_needed import carry_out, release_policy


class Registry:
    """As much of a registry as carrying out a decision asks for."""

    def __init__(self, champion: str) -> None:
        self.champion = champion

    def champion_version(self) -> str:
        return self.champion

    def set_champion(self, version: str, _step: str) -> None:
        self.champion = version


def decided(state: PolicyState, day: date) -> Entry:
    after, decision = decide(state, QUIET, POLICY, day)
    return Entry(0, decision, state, QUIET, after, POLICY)


@pytest.fixture
def waiting(context: JobContext) -> list[Entry]:
    """Two nights that wait for a human."""
    first = decided(replace(START, waits_for_human="a look"), night(1))
    assert first.after is not None
    entries = [first, decided(first.after, night(2))]
    for entry in entries:
        write_night(context.lakehouse, entry.decision.night, [entry])
    return entries


@pytest.mark.parametrize(("asked", "expected"), [(1, 2), (2, 2), (3, 3)])
def test_release_goes_on_from_the_newest_night_and_keeps_all_that_was_decided(
    context: JobContext, waiting: list[Entry], asked: int, expected: int
) -> None:
    assert release_policy(context, night(asked), "looked") == night(expected)
    *before, released = read_entries(context.lakehouse)
    assert [entry.decision for entry in before] == [entry.decision for entry in waiting]
    assert (released.decision.rule, released.decision.night) == ("released", night(expected))
    assert released.after is not None
    assert released.after.waits_for_human is None
    # A rerun of that night decides after the release, and drops nothing before it.
    entries = read_entries(context.lakehouse)
    assert standing_on(entries, night(expected))[-1] == released
    assert last_before(entries, night(expected)) == released
    again = decided(released.after, night(expected))
    kept = standing_on(entries, night(expected))
    write_night(context.lakehouse, night(expected), [*kept, again])
    assert count_differences(read_entries(context.lakehouse)) == 0


def test_release_is_refused_when_nothing_waits(
    context: JobContext, capsys: pytest.CaptureFixture[str]
) -> None:
    assert release_policy(context, night(1), "looked") == night(1)
    write_night(context.lakehouse, night(1), [decided(START, night(1))])
    assert release_policy(context, night(1), "looked") == night(1)
    assert capsys.readouterr().out.count("nothing waits for a release") == 2
    assert len(read_entries(context.lakehouse)) == 1


@pytest.mark.parametrize("champion", ["1", "2"])
def test_promotion_that_a_rerun_takes_back_is_taken_back_in_the_registry(champion: str) -> None:
    registry = Registry(champion)
    rejected = Entry(1, Decision(night(7), "reject", "challenger", "worse"), START, QUIET, START,
                     POLICY)  # fmt: skip
    carry_out(cast(ModelRegistry, registry), [rejected], 0)
    assert registry.champion == "1"
