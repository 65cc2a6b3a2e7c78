"""Transitions against the oracle, and date by date."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import polars as pl
import pytest

from churn_spark.features.transitions import dates_to_read, dates_to_rebuild
from tests import oracles
from tests.builders import millis, random_records, record
from tests.rollup_builders import event_frame, transitions_of


@pytest.fixture(scope="module")
def records() -> list[dict[str, Any]]:
    """The random log; of events that only their hash would order, one."""
    order = ("userId", "sessionId", "ts", "itemInSession", "page")
    one_of = {
        tuple(str(record.get(name) or 0).removesuffix(".0") for name in order): record
        for record in random_records(seed=3, n_users=60)
    }
    return list(one_of.values())


@pytest.fixture(scope="module")
def events(records: list[dict[str, Any]]) -> pl.DataFrame:
    return event_frame(records)


@pytest.fixture(scope="module")
def expected(records: list[dict[str, Any]]) -> dict[tuple[Any, ...], tuple[int, int]]:
    return oracles.transitions(oracles.accept_events(records))


def test_counts_equal_the_oracle_when_log_is_random(
    events: pl.DataFrame, expected: dict[tuple[Any, ...], tuple[int, int]]
) -> None:
    assert len(expected) > 1000
    assert {key[4] for key in expected} >= {"END", "Cancellation Confirmation"}
    assert transitions_of(pl.concat([events, events])) == expected


def test_nothing_follows_a_cancellation_that_is_reloaded_and_logged_out_of() -> None:
    gone = "Cancellation Confirmation"
    pages = ["Cancel", gone, gone, "Logout"]
    ts = millis("2018-10-01 12:00:00")
    rows = [record(page=page, ts=ts + 1000 * n, level="paid") for n, page in enumerate(pages)]
    steps = {key[3:]: n for key, (n, _) in transitions_of(event_frame(rows)).items()}
    assert steps == {("START", "Cancel"): 1, ("Cancel", gone): 1, ("Logout", "END"): 1}


def test_a_date_needs_its_own_events_and_those_of_the_day_before(
    events: pl.DataFrame, expected: dict[tuple[Any, ...], tuple[int, int]]
) -> None:
    touched = [date(2018, 10, 2), date(2018, 10, 4)]
    rebuilt = dates_to_rebuild(touched)
    assert rebuilt == [date(2018, 10, day) for day in (2, 3, 4, 5)]
    read = dates_to_read(rebuilt)
    known = transitions_of(events.filter(pl.col("event_date").is_in(read)))
    found = {key: value for key, value in known.items() if key[1] in rebuilt}
    assert found == {key: value for key, value in expected.items() if key[1] in rebuilt}
    assert len({key[1] for key in found}) == 4


def test_what_is_known_before_a_date_stays_when_events_follow(
    events: pl.DataFrame, expected: dict[tuple[Any, ...], tuple[int, int]]
) -> None:
    as_of = date(2018, 10, 4)
    before = transitions_of(events.filter(pl.col("event_date") < as_of))
    known = {key: value for key, value in before.items() if key[1] < as_of}
    assert known == {key: value for key, value in expected.items() if key[1] < as_of}
    assert as_of - timedelta(days=1) in {key[1] for key in known}
