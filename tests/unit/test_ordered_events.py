"""Events in order, each once; and both tables of any log against the oracles."""

from __future__ import annotations

from random import Random
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from churn_spark.contracts.features.spec import PAGE_COUNTS
from churn_spark.features.ordered_events import order_events
from churn_spark.features.rollups import (
    SESSION_DAY_ROLLUP,
    TRANSITION_ROLLUP,
    Rollup,
    roll_up_batches,
)
from tests import oracles
from tests.builders import AGENTS, millis, random_records, record
from tests.rollup_builders import event_frame, session_days_of, transitions_of

_MIDNIGHT = millis("2018-10-02 00:00:00")
_WAITS = (0, 1, 1000, 3_599_999, 3_600_000, 3_600_001, 86_400_000)
_PAGES = ("NextSong", "Home", "Cancel", "Cancellation Confirmation", "START", "END", "Ünknown")

_RECORDS = st.lists(
    st.fixed_dictionaries(
        {
            "ts": st.sampled_from([_MIDNIGHT + sign * wait for wait in _WAITS for sign in (1, -1)]),
            "userId": st.sampled_from(["7", "8", "é"]),
            "sessionId": st.sampled_from([0, 1, 2**53]),
            "itemInSession": st.sampled_from([None, 0, 1, 999]),
            "page": st.sampled_from(_PAGES),
            "auth": st.sampled_from(["Logged In", "Cancelled", "Logged Out", None]),
            "level": st.sampled_from(["free", "paid", "gone", None]),
            "length": st.sampled_from([None, 0, 0.1, 2.5e-6, 3.5e-6, 243.0812]),
            "gender": st.sampled_from(["F", "M", None]),
            "userAgent": st.sampled_from([*AGENTS, None]),
            "registration": st.sampled_from([None, 1537000000000, 1538400000001]),
        }
    ).map(lambda changes: record(**changes)),
    max_size=30,
)


@given(_RECORDS)
def test_session_days_of_any_log_equal_the_oracle(records: list[dict[str, Any]]) -> None:
    log = oracles.accept_events(records)
    found = {
        key: {name: value for name, value in row.items() if not name.endswith("_seen")}
        for key, row in session_days_of(event_frame([*records, *records])).items()
    }
    keys = {(event.user_id, event.session_id, event.day) for event in log}
    assert found == {key: oracles.session_day(log, *key, PAGE_COUNTS) for key in keys}


@given(_RECORDS)
def test_transitions_of_any_log_equal_the_oracle(records: list[dict[str, Any]]) -> None:
    # Of events that only their hash would order, one.
    order = ("userId", "sessionId", "ts", "page")
    one_of = {(*(one[k] for k in order), one["itemInSession"] or 0): one for one in records}
    expected = oracles.transitions(oracles.accept_events(one_of.values()))
    assert transitions_of(event_frame([*one_of.values(), *one_of.values()])) == expected


def test_order_is_by_moment_item_page_and_hash() -> None:
    rows = [
        {"ts": _MIDNIGHT, "itemInSession": 2, "page": "Home"},
        {"ts": _MIDNIGHT, "itemInSession": None, "page": "Unknown"},
        {"ts": _MIDNIGHT, "itemInSession": 0, "page": "NextSong"},
        {"ts": _MIDNIGHT - 1, "itemInSession": 9, "page": "Help"},
        {"ts": _MIDNIGHT, "itemInSession": 2, "page": "Home", "song": "another"},
        {"ts": _MIDNIGHT, "itemInSession": 2, "page": "Home"},
    ]
    ordered = order_events(event_frame(record(**row) for row in rows))
    assert ordered["page"].to_list() == ["Help", "NextSong", "Unknown", "Home", "Home"]
    assert ordered["event_hash"][3] < ordered["event_hash"][4]


@given(st.lists(st.sampled_from([None, 0, 7, 9, 253402300799999]), min_size=1), st.randoms())
def test_of_an_event_with_several_ends_of_its_subscription_the_latest_counts(
    ends: list[int | None], order: Random
) -> None:
    """The end is no part of what makes two records one event."""
    rows = [record(subscribedUntil=end) for end in ends]
    others = [record(song="another", subscribedUntil=8), record(page="Home")]
    delivered = [*rows, *others]
    order.shuffle(delivered)
    found = order_events(event_frame(delivered))
    same = found.filter(event_hash=event_frame(rows)["event_hash"][0])
    latest = max((end for end in ends if end is not None), default=None)
    assert found.height == len(others) + 1
    assert same["subscribed_until_ts"].dt.epoch("ms").to_list() == [latest]


def test_sessions_stay_apart_when_their_numbers_and_times_are_far_apart() -> None:
    # As factors of one number these would exceed it, and all be the same.
    start, span = millis("2006-01-01 00:00:00"), 2**41
    rows = [
        record(sessionId=session, ts=ts)
        for ts in (start + span - 1, start)
        for session in (2**30, 0, 2**23, 2**24)
    ]
    ordered = order_events(event_frame(rows))
    runs = ordered.select(pl.col("session").rle_id()).to_series()
    assert ordered["session"].n_unique() == runs.n_unique() == 4
    assert ordered.group_by("session").agg(pl.col("millis").is_sorted())["millis"].all()


def test_an_event_without_page_is_of_no_page_and_closes_no_visit() -> None:
    events = event_frame([record(), record(ts=_MIDNIGHT)]).with_columns(
        page=pl.when(pl.col("event_ts").dt.date() == pl.lit("2018-10-01").str.to_date()).then(
            "page"
        )
    )
    days = session_days_of(events)
    assert [(row["n_events"], row["n_other_pages"], row["n_songs"]) for row in days.values()] == [
        (1, 0, 1),
        (1, 0, 0),
    ]
    assert days["7", 1, events["event_date"][1]]["first_ts"] is None
    assert {key[3:] for key in transitions_of(events)} == {
        ("START", "NextSong"),
        ("NextSong", "END"),
        ("START", None),
    }


def test_no_event_makes_no_row() -> None:
    ordered = order_events(event_frame([]))
    assert SESSION_DAY_ROLLUP.build(ordered).is_empty()
    assert TRANSITION_ROLLUP.build(ordered).is_empty()


@pytest.mark.parametrize("rollup", [SESSION_DAY_ROLLUP, TRANSITION_ROLLUP])
def test_batches_of_whole_users_give_the_same_rows(rollup: Rollup) -> None:
    events = event_frame(random_records(seed=2, n_users=9))
    is_early = pl.col("user_id") < "4"
    by_half = [events.filter(is_early), events.filter(~is_early)]
    found = [
        pl.DataFrame(batch)
        for half in by_half
        for batch in roll_up_batches(half.to_arrow().to_batches(max_chunksize=7), rollup)
    ]
    expected = rollup.build(order_events(events)).sort(rollup.table.column_names)
    assert all(half.height for half in by_half)
    assert pl.concat(found).sort(rollup.table.column_names).equals(expected)
    assert list(roll_up_batches([], rollup)) == []
