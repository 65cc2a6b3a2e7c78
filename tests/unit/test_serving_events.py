"""One user's events over real HTTP, without a JVM: what is answered, and what is refused."""

from __future__ import annotations

import json
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import pyarrow as pa
import pytest
from deltalake import write_deltalake
from serving_builders import (
    FakeSource,
    add_behaviour,
    build_service,
    make_bundle,
    make_config,
    running,
)

from churn_spark.config import Config, load_config
from churn_spark.contracts.features.parts import COUNTED_PARTS
from churn_spark.contracts.features.spec import Feature
from churn_spark.models.bundle import ModelBundle
from churn_spark.serving.events.days import build_history
from churn_spark.serving.events.features import compute_features
from churn_spark.serving.events.hashes import hash_record
from churn_spark.serving.events.records import Event, read_records
from churn_spark.serving.events.request import EXAMPLE, UserEvents, parse_events
from churn_spark.serving.events.values import compute_values
from churn_spark.serving.events.visits import follow_pages
from churn_spark.serving.stores import LogStart
from tests import oracle_features, oracles
from tests.builders import millis, random_records, record

AS_OF = date(2018, 11, 30)
NOON = millis("2018-11-29 12:00:00")
LOG_START = date(2018, 10, 1)
MAX_EVENTS = 200


@dataclass(frozen=True)
class World:
    """A running service and what it must know."""

    address: str
    config: Config
    bundle: ModelBundle


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    lakehouse = tmp_path_factory.mktemp("events")
    config = make_config(lakehouse, require_key=False, max_events=MAX_EVENTS)
    bundle = replace(add_behaviour(make_bundle()), version="3")
    with running(build_service(config, FakeSource(bundle))) as address:
        for _ in range(400):
            if httpx.get(f"{address}/model").status_code == 200:
                break
        yield World(address, config, bundle)


Ask = Callable[..., httpx.Response]


@pytest.fixture
def ask(world: World) -> Ask:
    """Sends events, as of the date unless told."""

    def send(*events: object, query: str = "", **fields: object) -> httpx.Response:
        body = {"as_of": str(AS_OF), "events": list(events), **fields}
        return httpx.post(f"{world.address}/predict/events{query}", json=body)

    return send


def play(**overrides: Any) -> dict[str, Any]:
    return record(**{"ts": NOON, **overrides})


def parsed(world: World, *events: object) -> UserEvents:
    body = json.dumps({"as_of": str(AS_OF), "events": events})
    return parse_events(body.encode(), world.config.service)


def values_of(world: World, *events: object) -> dict[str, Any]:
    return compute_values(parsed(world, *events), world.bundle, LOG_START).values


def test_answer_is_that_of_predict_for_the_computed_features(world: World, ask: Ask) -> None:
    events = [play(ts=NOON + 60_000 * n, itemInSession=n) for n in range(20)]
    answer = ask(*events, query="?explain=true")
    assert answer.status_code == 200
    values = values_of(world, *events)
    same = httpx.post(f"{world.address}/predict?explain=true", json=values).json()
    found = answer.json()
    account = found.pop("events")
    # A request for features doesn't tell what the behaviour model has read.
    assert found.pop("reasons") != same.pop("reasons")
    assert found == {"user_id": "7", "as_of": str(AS_OF), **same}
    assert account["n_used"] == account["n_received"] == 20
    assert "reasons" not in ask(*events).json()


def test_explanation_names_what_the_behaviour_model_has_read(world: World, ask: Ask) -> None:
    pages = ["NextSong", "Roll Advert"] * 15
    events = [
        play(ts=NOON + 60_000 * n, itemInSession=n, page=page) for n, page in enumerate(pages)
    ]
    user = parsed(world, *events)
    computed = compute_values(user, world.bundle, LOG_START, with_parts=True)
    offset = world.bundle.offset
    assert offset is not None
    assert computed.parts["n_adverts"] == 15.0
    row = pd.DataFrame([{**computed.values, **computed.parts}], dtype=object)
    parts = [
        float(term.contributions[0])
        for term in world.bundle.terms(row)
        if not isinstance(term.source, Feature)
    ]
    assert len(parts) == len(COUNTED_PARTS)
    assert any(map(abs, parts))
    told = ask(*events, query="?explain=true").json()["reasons"]
    expected = world.bundle.reasons(row, world.config.scoring)[0]
    assert told == [one.sentence for one in expected]


@pytest.mark.parametrize("seed", [2, 5])
def test_features_equal_the_oracle_when_log_is_random(seed: int) -> None:
    log = random_records(seed)
    accepted = oracles.accept_events(log)
    of_user: dict[str, list[Event]] = defaultdict(list)
    for event in read_records(log, load_config().ingest).events:
        of_user[event.user_id].append(event)
    assert sum(map(len, of_user.values())) == len(accepted)
    start = min(event.day for event in accepted)
    for day in (date(2018, 10, 9), date(2018, 11, 26), date(2019, 1, 20)):
        for user, expected in oracle_features.features_as_of(accepted, day).items():
            found = compute_features(build_history(of_user[user], day, start))
            assert found.keys() == expected.keys()
            unlike = {
                name: (found[name], value)
                for name, value in expected.items()
                if found[name] != pytest.approx(value, rel=1e-12, abs=1e-12)
            }
            assert not unlike, (day, user)


def test_steps_equal_the_oracle_when_log_is_random() -> None:
    # Of events that only their hash would order, one: the oracle knows no hash.
    order = ("userId", "sessionId", "ts", "itemInSession", "page")
    one_of = {
        tuple(str(one.get(name) or 0).removesuffix(".0") for name in order): one
        for one in random_records(seed=3, n_users=30)
    }
    # Who cancels may be logged as `Cancelled` on the page after, too.
    left = record(userId="77", ts=NOON, page="Home", auth="Cancelled", level="paid")
    # And may reload that page and log out.
    gone = ("Cancellation Confirmation", "Cancellation Confirmation", "Logout")
    after = [
        record(userId="77", ts=NOON + 1000 * (n + 1), page=page, level="paid")
        for n, page in enumerate(gone)
    ]
    records = [*one_of.values(), left, *after]
    of_user: dict[str, list[Event]] = defaultdict(list)
    for event in read_records(records, load_config().ingest).events:
        of_user[event.user_id].append(event)
    found: dict[tuple[Any, ...], tuple[int, int]] = {}
    for user, events in of_user.items():
        for step in follow_pages(events):
            if step.level not in ("free", "paid"):
                continue
            day = date.fromordinal(date(1970, 1, 1).toordinal() + step.known // 86_400_000)
            key = (user, day, step.level, step.page, step.next_page)
            n, total = found.get(key, (0, 0))
            found[key] = (n + 1, total + step.millis)
    assert found == oracles.transitions(oracles.accept_events(records))


def test_what_follows_the_date_is_not_seen(ask: Ask) -> None:
    late = [play(ts=millis("2018-11-30 00:00:00")), play(ts=NOON + 86_400_000, page="Downgrade")]
    gone = play(ts=NOON + 2 * 86_400_000, page="Cancellation Confirmation", auth="Cancelled")
    alone, both = ask(play()).json(), ask(play(), *late, gone).json()
    assert both["churn_probability"] == alone["churn_probability"]
    assert (both["events"]["n_used"], both["events"]["n_not_before_as_of"]) == (1, 3)


def test_records_are_cleaned_as_by_the_ingest_and_accounted_for(ask: Ask) -> None:
    alone = ask(play()).json()
    again = {**play(ts=float(NOON), userId=7), "extra": 1}
    rest = [play(userId=""), play(userId="1261737"), play(ts=NOON // 1000), play(page=404), "x"]
    found = ask(play(), again, *rest).json()
    assert found["churn_probability"] == alone["churn_probability"]
    assert found["events"] == {
        "n_received": 7,
        "n_used": 1,
        "n_not_before_as_of": 0,
        "n_out_of_place": 0,
        "n_duplicates": 1,
        "n_anonymous": 2,
        "n_invalid": 3,
        "problems": [
            {"event": 4, "problem": "ts in seconds"},
            {"event": 5, "problem": "wrong type"},
            {"event": 6, "problem": "broken JSON"},
        ],
    }


def test_first_value_counts_when_a_key_is_there_twice(world: World, ask: Ask) -> None:
    """As the ingest has it; pydantic takes the last."""
    twice = json.dumps(play())[:-1] + ', "userId": "8", "ts": 1}'
    body = f'{{"as_of": "{AS_OF}", "events": [{json.dumps(play(itemInSession=9))}, {twice}]}}'
    answer = httpx.post(f"{world.address}/predict/events", content=body.encode())
    assert (answer.status_code, answer.json()["events"]["n_used"]) == (200, 2), answer.text


CANCELLED = play(ts=NOON + 1, page="Cancellation Confirmation", auth="Cancelled")
REFUSED: dict[str, tuple[list[object], int, str]] = {
    "no event": ([], 422, "no usable event before 2018-11-30 (0 received)"),
    "anonymous": ([play(userId="")], 422, "(1 received, 1 anonymous), expected one"),
    "invalid": ([play(drop=["ts"])], 422, "(1 received, 1 invalid)"),
    "too late": ([play(ts=NOON + 86_400_000)], 422, "(1 received, 1 not before as of)"),
    "two users": ([play(), play(userId="8")], 422, "found events of 2 users ('7', '8')"),
    "many users": ([play(userId=n) for n in "123456"], 422, "6 users ('1', '2', '3', ...)"),
    "cancelled": ([play(), CANCELLED], 422, "the user cancelled on 2018-11-29, before 2018"),
    "away": ([play(ts=millis("2018-09-30 23:59:59"))], 422, "the last on 2018-09-30"),
    "never logged in": ([play(auth="Logged Out")], 422, "(none before that)"),
    "too many": (
        [play()] * (MAX_EVENTS + 1),
        413,
        "found more than 200 events, expected that many",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refusal_says_what_was_found(ask: Ask, case: str) -> None:
    events, status, text = REFUSED[case]
    answer = ask(*events)
    assert (answer.status_code, text in answer.json()["detail"]) == (status, True), answer.text


def test_population_begins_with_the_first_active_day(ask: Ask) -> None:
    assert ask(play(ts=millis("2018-10-01 00:00:00"))).status_code == 200
    assert ask(play(ts=millis("2018-09-30 23:59:59"))).status_code == 422


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ('{"as_of": "2018-11-30"}', "events"),
        ('{"events": []}', "as_of"),
        ('{"as_of": 1543536000, "events": []}', "as_of"),
        ('{"as_of": "2018-11-31", "events": []}', "as_of"),
        ('{"as_of": "2018-11-30T00:00:00", "events": []}', "as_of"),
        ('{"as_of": "2018-11-30", "events": {}}', "events"),
        ('{"as_of": "2018-11-30", "events": [], "user": 7}', "user"),
        ('{"as_of": "2018-11-30", "events": [', ""),
        ("[]", ""),
        ("\xff", ""),
    ],
)
def test_body_that_does_not_fit_is_refused_by_field(world: World, body: str, field: str) -> None:
    answer = httpx.post(f"{world.address}/predict/events", content=body.encode("latin-1"))
    assert answer.status_code == 422
    assert [one["field"] for one in answer.json()["problems"]] == [field]


def test_described_example_is_answered(world: World, ask: Ask) -> None:
    described = httpx.get(f"{world.address}/openapi.json").json()["paths"]["/predict/events"]
    schema = described["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert schema["examples"] == [EXAMPLE]
    assert schema["properties"]["events"]["maxItems"] == MAX_EVENTS
    fields = schema["properties"]["events"]["items"]["properties"]
    assert EXAMPLE["events"][0].keys() <= fields.keys()
    answer = httpx.post(f"{world.address}/predict/events", json=EXAMPLE)
    told = described["post"]["responses"]["200"]["content"]["application/json"]["schema"]
    assert answer.status_code == 200
    assert answer.json().keys() | {"reasons"} == told["properties"].keys()
    assert answer.json()["events"].keys() == told["properties"]["events"]["properties"].keys()


def test_events_of_a_wrong_clock_count_as_little_as_by_night(world: World) -> None:
    wrong = play(ts=NOON - 365 * 86_400_000, sessionId=9)
    day = date(1970, 1, 1) + timedelta(days=wrong["ts"] // 86_400_000)
    body = json.dumps({"as_of": str(AS_OF), "events": [play(), wrong]}).encode()
    aside = parse_events(body, world.config.service, {day})
    assert aside.events == parsed(world, play()).events
    assert (aside.account["n_used"], aside.account["n_out_of_place"]) == (1, 1)
    assert aside.account["n_not_before_as_of"] == 0
    # Where no table says so, the date is one like the others.
    assert len(parse_events(body, world.config.service).events) == 2


def test_first_day_of_the_log_is_that_of_the_table(tmp_path: Path) -> None:
    log_start = LogStart(str(tmp_path))
    log_start.look()
    assert log_start.day is None
    folder = tmp_path / "silver" / "log_dates"
    for day in (date(2018, 11, 3), date(2018, 10, 2)):
        days = pa.array([date(2015, 1, 1), day], pa.date32())
        rows = pa.table({"event_date": days, "place": ["out of place", "in the log"]})
        write_deltalake(folder, rows, mode="append")
        log_start.look()
        assert (log_start.day, log_start.out_of_place) == (day, {date(2015, 1, 1)})
    # Made anew the table has the same version again.
    shutil.rmtree(folder)
    for day in (date(2019, 3, 1), date(2019, 2, 1)):
        rows = pa.table({"event_date": pa.array([day], pa.date32()), "place": ["in the log"]})
        write_deltalake(folder, rows, mode="append")
    log_start.look()
    assert log_start.day == date(2019, 2, 1)
    shutil.rmtree(folder)
    log_start.look()
    assert (log_start.day, log_start.out_of_place) == (None, frozenset())


def test_features_count_from_the_first_day_of_the_log(world: World) -> None:
    user = parsed(world, play(registration=0))
    days = [
        compute_values(user, world.bundle, start).values["exposure_days"]
        for start in (date(2018, 10, 1), date(2018, 11, 28), date(2019, 1, 1))
    ]
    # Nobody has an event before the log begins: the last is the day of the event.
    assert days == [60.0, 2.0, 1.0]


def test_model_without_log_is_told_apart(tmp_path: Path) -> None:
    config = make_config(tmp_path, require_key=False)
    service = build_service(config, FakeSource(replace(make_bundle(), version="1")))
    with running(service) as address:
        for _ in range(400):
            if httpx.get(f"{address}/model").status_code == 200:
                break
        answer = httpx.post(f"{address}/predict/events", json=EXAMPLE)
    assert answer.status_code == 503
    assert "silver/log_dates" in answer.json()["detail"]


def test_hash_is_that_of_the_table() -> None:
    """As the ingest gives it; see `test_clean` for both."""
    (event,) = read_records([record(ts=NOON, song="é" * 40)], load_config().ingest).events
    assert hash_record(event.record) == -5307375337051752171
