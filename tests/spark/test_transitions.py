"""Transitions against the oracle, and date by date."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from churn_spark.config import load_config
from churn_spark.features.transitions import build_transitions, dates_to_read, dates_to_rebuild
from tests import oracles
from tests.builders import collect_dicts, random_records, read_events, write_lines

_KEY = ("user_id", "event_date", "level", "page", "next_page")


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
def events(
    spark: SparkSession, records: list[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory
) -> DataFrame:
    path = write_lines(tmp_path_factory.mktemp("log") / "log.json", records)
    return read_events(spark, [path], load_config()).cache()


def counts_of(transitions: DataFrame) -> dict[tuple[Any, ...], tuple[int, int]]:
    rows = collect_dicts(transitions, *_KEY)
    return {key: (row["n_transitions"], row["total_millis"]) for key, row in rows.items()}


@pytest.fixture(scope="module")
def expected(records: list[dict[str, Any]]) -> dict[tuple[Any, ...], tuple[int, int]]:
    return oracles.transitions(oracles.accept_events(records))


def test_counts_equal_the_oracle_when_log_is_random(
    events: DataFrame, expected: dict[tuple[Any, ...], tuple[int, int]]
) -> None:
    assert len(expected) > 1000
    assert {key[4] for key in expected} >= {"END", "Cancellation Confirmation"}
    assert counts_of(build_transitions(events.unionByName(events))) == expected


def test_a_date_needs_its_own_events_and_those_of_the_day_before(
    events: DataFrame, expected: dict[tuple[Any, ...], tuple[int, int]]
) -> None:
    touched = [date(2018, 10, 2), date(2018, 10, 4)]
    rebuilt = dates_to_rebuild(touched)
    assert rebuilt == [date(2018, 10, day) for day in (2, 3, 4, 5)]
    read = dates_to_read(rebuilt)
    transitions = build_transitions(events.filter(events.event_date.isin(read)))
    found = counts_of(transitions.filter(transitions.event_date.isin(rebuilt)))
    assert found == {key: value for key, value in expected.items() if key[1] in rebuilt}
    assert len({key[1] for key in found}) == 4


def test_what_is_known_before_a_date_stays_when_events_follow(
    events: DataFrame, expected: dict[tuple[Any, ...], tuple[int, int]]
) -> None:
    as_of = date(2018, 10, 4)
    before = build_transitions(events.filter(events.event_date < as_of))
    known = counts_of(before.filter(before.event_date < as_of))
    assert known == {key: value for key, value in expected.items() if key[1] < as_of}
    assert as_of - timedelta(days=1) in {key[1] for key in known}
