"""One user's records in the service and lines in the ingest: the same events, the same fates."""

from __future__ import annotations

import json
from typing import Any

from builders import N_BUCKETS, record

from churn_spark.config import load_config
from churn_spark.events.block import read_block
from churn_spark.events.rules import NUMBERS, TEXTS
from churn_spark.serving.events.hashes import hash_record
from churn_spark.serving.events.records import ANONYMOUS, Event, read_records

WILD: tuple[Any, ...] = (
    *(None, True, False, 0, 7, 7.0, -1, 1.5, 2**53, 2**54, 1e300, 10**400),
    *("", " ", "\t7 ", "7", "7.0", "NaN", "Infinity", "-INF", "inf", "true", "{", '""', "é" * 20),
    *([], {}, [7], {"a": None}, float("nan"), float("inf"), float("-inf")),
)


def test_records_become_the_events_of_the_ingest_whatever_is_in_them() -> None:
    ingest = load_config().ingest
    spoiled = [
        record(**{"song": f"{name} {number}", "lastName": str(number), name: value})
        for name in (*NUMBERS, *TEXTS)
        for number, value in enumerate(WILD)
    ]
    blocks = [read_block(json.dumps(one).encode(), ingest, N_BUCKETS) for one in spoiled]
    reading = read_records(json.loads(json.dumps(spoiled)), ingest)
    found = [reading.left_out.get(position, "accepted") for position in range(len(spoiled))]
    fates = [
        next(fate for fate, n in block.counts.items() if n and fate != "read") for block in blocks
    ]
    assert {at for at in found if at == ANONYMOUS}
    assert [
        (one, at, want) for one, at, want in zip(spoiled, found, fates, strict=True) if at != want
    ] == []
    events = {row["event_hash"]: row for block in blocks for row in block.events.to_dicts()}
    for event in reading.events:
        row = events[hash_record(event.record)]
        assert _comparable(event) == {name: _plain(row[name]) for name in _comparable(event)}
    assert len(events) == len(reading.events)


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
