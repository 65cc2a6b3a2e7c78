"""Session days against the oracle, and what they count."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from churn_spark.contracts.features.spec import PAGE_COUNTS
from churn_spark.contracts.tables import SESSION_DAYS
from tests import oracles
from tests.builders import millis, random_records, record
from tests.rollup_builders import event_frame, session_days_of

_ORDERS = [name for name in SESSION_DAYS.column_names if name.endswith("_seen")]

SessionDays = dict[tuple[Any, ...], dict[str, Any]]


@pytest.fixture(scope="module")
def random_events() -> pl.DataFrame:
    """Events of the random log."""
    return event_frame(random_records(seed=1))


@pytest.fixture(scope="module")
def random_days(random_events: pl.DataFrame) -> SessionDays:
    """Session days of the random log."""
    return session_days_of(random_events)


@pytest.fixture(scope="module")
def random_log() -> list[oracles.Event]:
    """The random log as the oracle accepts it."""
    return oracles.accept_events(random_records(seed=1))


def test_rows_are_those_of_the_log_when_sessions_interleave(
    random_days: SessionDays, random_log: list[oracles.Event]
) -> None:
    assert set(random_days) == {(e.user_id, e.session_id, e.day) for e in random_log}


def test_values_equal_the_oracle_when_log_is_random(
    random_days: SessionDays, random_log: list[oracles.Event]
) -> None:
    told = {
        key: {name: value for name, value in row.items() if name not in _ORDERS}
        for key, row in random_days.items()
    }
    assert told == {key: oracles.session_day(random_log, *key, PAGE_COUNTS) for key in told}


def test_events_add_up_when_pages_are_unknown(random_days: SessionDays) -> None:
    for row in random_days.values():
        assert row["n_events"] == row["n_other_pages"] + sum(row[name] for name in PAGE_COUNTS)


@pytest.mark.parametrize("how", ["delivered twice", "shuffled", "sorted", "backwards"])
def test_values_are_the_same_when_events_are(
    how: str, random_events: pl.DataFrame, random_days: SessionDays
) -> None:
    again = random_events.with_columns(source_file=pl.lit("other"), ingest_batch=pl.lit(9))
    changed = {
        "delivered twice": lambda: pl.concat([random_events, again], how="vertical_relaxed"),
        "shuffled": lambda: random_events.sample(fraction=1, shuffle=True, seed=5),
        "sorted": lambda: random_events.sort("event_ts", "event_hash", descending=[True, False]),
        "backwards": random_events.reverse,
    }[how]()
    assert session_days_of(changed) == random_days


_MIDNIGHT = millis("2018-10-02 00:00:00")
_CONFIRMATION = {"page": "Cancellation Confirmation", "auth": "Cancelled"}
_CASES: dict[str, list[dict[str, Any]]] = {
    "midnight": [{"ts": _MIDNIGHT - 1}, {"ts": _MIDNIGHT}],
    "twin": [{"itemInSession": 1}, {"itemInSession": 2}, {"itemInSession": 2}],
    "twin without length": [{"length": 1.5}, {"length": None}, {"length": None}],
    "logged out": [{"auth": "Logged Out", "level": "paid", "gender": "M"}],
    "auth unknown": [{"auth": None}],
    "cancelled": [
        {},
        {"page": "Cancel", "level": "paid", "ts": _MIDNIGHT - 50},
        {"ts": _MIDNIGHT - 5, **_CONFIRMATION},
    ],
    "cancelled twice": [
        {"ts": _MIDNIGHT - 5, **_CONFIRMATION},
        {"ts": _MIDNIGHT - 9, **_CONFIRMATION, "auth": "Logged Out"},
    ],
    "length on another page": [{"page": "Thumbs Up", "length": 99.0}, {"length": 0.1}],
    "sum of tenths": [{"ts": _MIDNIGHT - i, "length": 0.1} for i in range(1, 11)],
    "level by item": [
        {"level": "paid", "itemInSession": 9},
        {"level": "free", "itemInSession": 10},
        {"level": "gone", "itemInSession": None},
    ],
    "level by ts": [{"level": "paid", "ts": _MIDNIGHT - 1}, {"level": "free", "itemInSession": 5}],
    "level unknown at the end": [{"level": "paid"}, {"level": None, "ts": _MIDNIGHT - 1}],
    "level by value": [
        {"level": "free", "itemInSession": 2_000_000},
        {"level": "paid", "itemInSession": 1_500_000},
    ],
    "device as a pair": [
        {"userAgent": "Mozilla/5.0 (Macintosh) Safari/9", "itemInSession": 3},
        {"userAgent": None, "itemInSession": 4},
        {"userAgent": "Mozilla/5.0 (Windows NT 6.1) Firefox/31.0", "itemInSession": 2},
    ],
}


@pytest.fixture(scope="module")
def cases() -> Any:
    """Case -> its session days, oldest first; each case is a user."""
    records = [record(userId=case, **row) for case, rows in _CASES.items() for row in rows]
    days = session_days_of(event_frame(records))
    return {case: [days[key] for key in sorted(days) if key[0] == case] for case in _CASES}


def test_session_has_two_rows_when_it_crosses_midnight(cases: dict[str, Any]) -> None:
    before, after = cases["midnight"]
    assert (before["n_events"], before["last_ts"]) == (1, _MIDNIGHT - 1)
    assert (after["n_events"], after["first_ts"]) == (1, _MIDNIGHT)


@pytest.mark.parametrize("case", ["twin", "twin without length"])
def test_event_counts_once_when_all_fields_are_equal(case: str, cases: dict[str, Any]) -> None:
    assert cases[case][0]["n_songs"] == 2


@pytest.mark.parametrize("case", ["logged out", "auth unknown"])
def test_event_counts_nowhere_when_not_logged_in(case: str, cases: dict[str, Any]) -> None:
    row = cases[case][0]
    counts = ("n_events", "n_songs", "n_other_pages", "listened_micros")
    assert [row[name] for name in counts] == [0, 0, 0, 0]
    assert [row[name] for name in ("first_ts", "last_ts", "level", "gender")] == [None] * 4


def test_confirmation_is_only_the_cancel_ts_when_user_cancels(cases: dict[str, Any]) -> None:
    row = cases["cancelled"][0]
    assert row["cancel_ts"] == _MIDNIGHT - 5
    assert (row["n_events"], row["level"]) == (2, "paid")
    assert row["last_ts"] == row["first_ts"] < _MIDNIGHT - 50, "visiting Cancel is no activity"


def test_cancel_ts_is_the_first_when_confirmed_twice(cases: dict[str, Any]) -> None:
    assert cases["cancelled twice"][0]["cancel_ts"] == _MIDNIGHT - 9


def test_listening_counts_songs_only_when_other_pages_have_a_length(cases: dict[str, Any]) -> None:
    assert cases["length on another page"][0]["listened_micros"] == 100_000


def test_listening_is_exact_when_fractions_add_up(cases: dict[str, Any]) -> None:
    assert cases["sum of tenths"][0]["listened_micros"] == 1_000_000


@pytest.mark.parametrize(
    ("case", "level"),
    [
        ("level by item", "free"),
        ("level by ts", "paid"),
        ("level unknown at the end", "paid"),
        ("level by value", "paid"),
    ],
)
def test_level_is_of_the_newest_event_when(case: str, level: str, cases: dict[str, Any]) -> None:
    assert cases[case][0]["level"] == level


def test_os_and_browser_are_of_one_event_when_agents_differ(cases: dict[str, Any]) -> None:
    row = cases["device as a pair"][0]
    assert (row["os"], row["browser"]) == ("macOS", "Safari")


def test_order_is_millisecond_then_item_when_level_is_told(cases: dict[str, Any]) -> None:
    seen = cases["level by item"][0]["level_seen"]
    assert seen == record()["ts"] * 1_000_000 + 10


def test_rows_stand_apart_when_users_share_a_session_id(random_days: SessionDays) -> None:
    assert len({(user, session) for user, session, _ in random_days}) > len(
        {session for _, session, _ in random_days}
    )


@pytest.mark.sample_data
@pytest.mark.parametrize("name", ["seven_users.json.gz", "log_data"])
def test_values_equal_the_oracle_on_real_logs(name: str, sample_data: Path) -> None:
    records = oracles.read_records(sample_data / name)
    log = oracles.accept_events(records)
    days = session_days_of(event_frame(records))
    told = {
        key: {name: value for name, value in row.items() if name not in _ORDERS}
        for key, row in days.items()
    }
    keys = {(event.user_id, event.session_id, event.day) for event in log}
    assert told == {key: oracles.session_day(log, *key, PAGE_COUNTS) for key in keys}
