"""One user's records in the service and lines in the ingest: the same events, the same fates."""

from __future__ import annotations

import json
from itertools import accumulate
from typing import Any

import pytest
from builders import N_BUCKETS, record

from churn_spark.config import load_config
from churn_spark.events.block import read_block
from churn_spark.events.rules import NUMBERS, TEXTS
from churn_spark.events.values import parse_json
from churn_spark.serving.events.hashes import hash_record
from churn_spark.serving.events.records import ANONYMOUS, DUPLICATE, Event, read_records

WILD: tuple[Any, ...] = (
    *(None, True, False, 0, 7, 7.0, -1, 1.5, 2**53, 2**54, 1e300, 10**400),
    *("", " ", "\t7 ", "7", "7.0", "NaN", "Infinity", "-INF", "inf", "true", "{", '""', "é" * 20),
    *([], {}, [7], {"a": None}, float("nan"), float("inf"), float("-inf")),
)
PLAIN = json.dumps(record())
TWICE = [
    # A key that is there twice, and keys that are spelt in another way.
    PLAIN[:-1] + ', "page": "Home", "sessionId": 5}',
    PLAIN.replace("Carry", "Go")[:-1] + ', "userId": "8", "song": null}',
    PLAIN.replace('"userId"', '"userid"'),
    PLAIN.replace('"userId"', '"user_id"').replace('"song": "Carry"', '"userId": null'),
    PLAIN.replace('"userId": "7"', '"userid": ""'),
    PLAIN.replace('"userId": "7"', '"userId": "", "USERID": "7"'),
    PLAIN.replace('"ts"', '"TS"'),
    PLAIN.replace('"sessionId"', '"Session Id"'),
]


def test_records_become_the_events_of_the_ingest_whatever_is_in_them() -> None:
    ingest = load_config().ingest
    spoiled = [
        record(**{"song": f"{name} {number}", "lastName": str(number), name: value})
        for name in (*NUMBERS, *TEXTS)
        for number, value in enumerate(WILD)
    ]
    lines = [json.dumps(one) for one in spoiled] + TWICE
    block = read_block("\n".join(lines).encode(), ingest, N_BUCKETS)
    reasons = dict(zip(block.rejected["byte_offset"], block.rejected["reason"], strict=True))
    starts = accumulate((len(line.encode()) + 1 for line in lines), initial=0)
    reading = read_records([parse_json(line) for line in lines], ingest)
    refused = {at: why for at, why in reading.left_out.items() if why != ANONYMOUS}
    assert refused == {at: reasons[start] for at, start in enumerate(starts) if start in reasons}
    n_anonymous = len(reading.left_out) - len(refused)
    assert block.counts["anonymous"] == n_anonymous > 0
    events = {row["event_hash"]: row for row in block.events.to_dicts()}
    assert events.keys() == {hash_record(event.record) for event in reading.events}
    for event in reading.events:
        row = events[hash_record(event.record)]
        assert _comparable(event) == {name: _plain(row[name]) for name in _comparable(event)}


@pytest.mark.parametrize("ends", [(None, 7, 9), (9, 7, None), (7, 9, None), (7, None, 9)])
def test_of_an_event_with_several_ends_of_its_subscription_the_latest_counts(
    ends: tuple[int | None, ...],
) -> None:
    rows = [record(page="Home"), *(record(subscribedUntil=end) for end in ends)]
    reading = read_records(rows, load_config().ingest)
    assert [event.subscribed_until_ts for event in reading.events] == [None, 9]
    assert reading.left_out == {2: DUPLICATE, 3: DUPLICATE}


def _comparable(event: Event) -> dict[str, Any]:
    same = ("user_id", "session_id", "page", "auth", "level", "song_seconds", "gender")
    places = {name: getattr(event, name) for name in (*same, "location", "os", "browser")}
    return places | {
        "event_ts": event.ts,
        "item_in_session": event.item,
        "registered_ts": event.registered_ts,
    }


def _plain(value: Any) -> Any:
    """A timestamp as milliseconds."""
    return round(value.timestamp() * 1000) if hasattr(value, "timestamp") else value
