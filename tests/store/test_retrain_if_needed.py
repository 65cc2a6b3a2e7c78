"""What a human releases, and what the nights have decided by then."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from nights import QUIET, START, decided, night

from churn_spark.contracts.registry_state import RegistryState
from churn_spark.monitoring.policy.history import Entry, last_before, standing_on
from churn_spark.monitoring.policy.replayed import count_differences
from churn_spark.pipeline.context import JobContext
from churn_spark.pipeline.dates import LogDates
from churn_spark.pipeline.gather import Night
from churn_spark.pipeline.release import release_policy
from churn_spark.stores.decisions import read_entries, write_night
from churn_spark.timeline import LogSpan


def release_on(context: JobContext, day: date) -> date:
    """Release as of a date; returns the night that is to be decided anew."""
    log = LogDates(LogSpan(day, day), day)
    known = Night(day, log, read_entries(context.lakehouse), RegistryState("1"))
    return release_policy(context.lakehouse, known, "looked", context.config.policy).date


@pytest.fixture
def waiting(context: JobContext) -> list[Entry]:
    """Two nights that wait for a human."""
    first = decided(replace(START, waits_for_human="a look"), QUIET, night(1))
    assert first.after is not None
    entries = [first, decided(first.after, QUIET, night(2))]
    for entry in entries:
        write_night(context.lakehouse, entry.decision.night, [entry])
    return entries


@pytest.mark.parametrize(("asked", "expected"), [(1, 2), (2, 2), (3, 3)])
def test_release_goes_on_from_the_newest_night_and_keeps_all_that_was_decided(
    context: JobContext, waiting: list[Entry], asked: int, expected: int
) -> None:
    assert release_on(context, night(asked)) == night(expected)
    *before, released = read_entries(context.lakehouse)
    assert [entry.decision for entry in before] == [entry.decision for entry in waiting]
    assert (released.decision.rule, released.decision.night) == ("released", night(expected))
    assert released.after is not None
    assert released.after.waits_for_human is None
    # A rerun of that night decides after the release, and drops nothing before it.
    entries = read_entries(context.lakehouse)
    assert standing_on(entries, night(expected))[-1] == released
    assert last_before(entries, night(expected)) == released
    again = decided(released.after, QUIET, night(expected))
    kept = standing_on(entries, night(expected))
    write_night(context.lakehouse, night(expected), [*kept, again])
    assert count_differences(read_entries(context.lakehouse)) == 0


def test_release_is_refused_when_nothing_waits(
    context: JobContext, capsys: pytest.CaptureFixture[str]
) -> None:
    assert release_on(context, night(1)) == night(1)
    write_night(context.lakehouse, night(1), [decided(START, QUIET, night(1))])
    assert release_on(context, night(1)) == night(1)
    assert capsys.readouterr().out.count("nothing waits for a release") == 2
    assert len(read_entries(context.lakehouse)) == 1
