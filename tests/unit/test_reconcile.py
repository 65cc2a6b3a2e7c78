"""Registry and decisions brought together, on values: nothing is read or written."""

from __future__ import annotations

from dataclasses import replace

import pytest
from nights import POLICY, QUIET, START, challenger, decided, night

from churn_spark.contracts.registry_state import RegistryState
from churn_spark.monitoring.policy.evidence import Evidence
from churn_spark.monitoring.policy.history import (
    Entry,
    champion_at,
    last_before,
    newest_step,
    newest_takeover,
    replace_night,
    standing_on,
)
from churn_spark.monitoring.policy.policy_state import Decision
from churn_spark.monitoring.policy.reconcile import Reconciliation, add_to_night, reconcile


def promotion() -> tuple[Entry, ...]:
    """A quiet night 6; on night 7 a retraining is asked for and its challenger promoted."""
    quiet = decided(START, QUIET, night(6))
    assert quiet.after is not None
    asked = decided(quiet.after, QUIET, night(7))
    assert asked.after is not None
    rival = Evidence(22_000, features=QUIET.features, challenger=challenger())
    judged = decided(asked.after, rival, night(7))
    return replace_night(replace_night((), night(6), [quiet]), night(7), [asked, judged])


ENTRIES = promotion()
STEP = f"{night(7)}/1/promote/2"


def test_the_decisions_are_the_ones_that_the_cases_need() -> None:
    assert [entry.decision.kind for entry in ENTRIES] == ["keep", "retrain", "promote"]
    assert newest_step(ENTRIES) == ENTRIES[-1].step == STEP
    assert newest_step(ENTRIES[:1]) == ""
    assert newest_takeover(ENTRIES, night(9)) == newest_takeover(ENTRIES, night(7)) == night(7)
    assert newest_takeover(ENTRIES, night(6)) is None


@pytest.mark.parametrize(
    ("registered", "champion", "step"),
    [
        (RegistryState("1"), "2", STEP),  # not carried out yet
        (RegistryState("2"), "2", STEP),  # carried out, the note is missing
        (RegistryState("2", STEP), None, ""),  # nothing to do
        (RegistryState(), None, ""),  # no model
    ],
)
def test_registry_is_told_what_was_decided_and_not_done(
    registered: RegistryState, champion: str | None, step: str
) -> None:
    found = reconcile(ENTRIES, registered, POLICY, night(8))
    assert found == Reconciliation(ENTRIES, None, champion, step)


def test_champion_named_outside_the_policy_is_adopted_on_the_later_of_both_nights() -> None:
    for today, expected in ((night(8), night(8)), (night(3), night(7))):
        found = reconcile(ENTRIES, RegistryState("9", STEP), POLICY, today)
        adopted = found.entries[-1]
        assert (adopted.decision.rule, adopted.decision.version) == ("human", "9")
        assert adopted.decision.night == found.changed_night == expected
        assert (found.champion, found.step) == ("9", adopted.step)
        assert found.entries[:-1] == ENTRIES
        # Once that is done, there is nothing more to do.
        after = RegistryState("9", adopted.step)
        assert reconcile(found.entries, after, POLICY, today) == Reconciliation(found.entries)


def test_nothing_is_reconciled_without_decisions_or_before_the_first_model() -> None:
    assert reconcile((), RegistryState("1"), POLICY, night(1)) == Reconciliation(())
    held = Entry(0, Decision(night(1), "hold", "data_checks", ""), None, None, None, POLICY)
    assert reconcile([held], RegistryState("1"), POLICY, night(2)) == Reconciliation((held,))


def test_a_night_replaced_is_numbered_and_leaves_the_others() -> None:
    again = replace_night(ENTRIES, night(6), [ENTRIES[0], ENTRIES[0]])
    assert [(e.decision.night, e.sequence) for e in again] == [
        (night(6), 0),
        (night(6), 1),
        (night(7), 0),
        (night(7), 1),
    ]
    assert replace_night(ENTRIES, night(7), []) == ENTRIES[:1]


def test_what_a_human_has_done_stands_in_a_rerun_of_its_night() -> None:
    last = ENTRIES[-1]
    assert last.after is not None
    released = replace(
        last, decision=Decision(night(7), "keep", "released", "looked"), evidence=None
    )
    entries = add_to_night(ENTRIES, released)
    assert [entry.sequence for entry in entries] == [0, 0, 1, 2]
    assert standing_on(entries, night(7)) == entries[1:]
    assert last_before(entries, night(7)) == entries[-1]
    # Without it a rerun stands on the night before.
    assert standing_on(ENTRIES, night(7)) == ()
    assert last_before(ENTRIES, night(7)) == ENTRIES[0]
    assert champion_at(ENTRIES, RegistryState("2"), night(7)) == "1"
    assert champion_at(ENTRIES, RegistryState("9"), night(8)) == "2"
    assert champion_at(ENTRIES, RegistryState("9"), night(5)) == "9"
