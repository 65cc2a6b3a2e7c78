"""Requests in another service's words, and of who isn't in the audience."""

from __future__ import annotations

import json
from datetime import date

import pytest
from foreign_logs import MAPPING, foreign

from churn_spark.config import Config, load_config
from churn_spark.errors import RequestError
from churn_spark.serving.events.request import parse_events
from tests.builders import millis, record

SILENT = {**MAPPING, "session": {"silence_minutes": 30}}
RECORDS = [
    record(ts=millis(f"2018-11-29 {at}"), itemInSession=n, sessionId=5)
    for n, at in enumerate(("12:00:00", "12:29:00", "13:00:00", "13:20:00"))
]


def _config(*overrides: str) -> Config:
    return load_config(overrides=list(overrides))


def _ask(config: Config, events: list[dict[str, object]]) -> list[tuple[int, int, str]]:
    body = json.dumps({"as_of": "2018-11-30", "events": events}).encode()
    found = parse_events(body, config.service)
    assert found.as_of == date(2018, 11, 30)
    return [(event.ts, event.session_id, event.page) for event in found.events]


def test_events_in_the_words_of_a_mapping_are_those_of_our_own() -> None:
    mapped = _config(f"ingest.mapping={json.dumps(MAPPING)}")
    assert _ask(mapped, [foreign(one) for one in RECORDS]) == _ask(_config(), RECORDS)


def test_visits_of_a_request_without_sessions_are_cut_by_silence() -> None:
    mapped = _config(f"ingest.mapping={json.dumps(SILENT)}")
    sessions = [session for _, session, _ in _ask(mapped, [foreign(one) for one in RECORDS])]
    first, third = (-RECORDS[n]["ts"] for n in (0, 2))
    assert sessions == [first, first, third, third]


def test_who_is_not_paying_is_refused_where_only_they_are_looked_at() -> None:
    paid = _config("snapshots.audience=paid")
    with pytest.raises(RequestError, match="found the level free before 2018-11-30"):
        _ask(paid, RECORDS)
    upgraded = [*RECORDS[:-1], {**RECORDS[-1], "level": "paid"}]
    assert len(_ask(paid, upgraded)) == len(RECORDS)
