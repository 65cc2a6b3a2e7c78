"""The mapping of a foreign log: what it may say, and what it makes of values."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import polars as pl
import pytest
import yaml
from builders import N_BUCKETS, millis, random_records
from foreign_logs import MAPPING, foreign, ingest_by
from hypothesis import given
from hypothesis import strategies as st

from churn_spark.config import LogMapping, load_config
from churn_spark.config.mapping import TimeColumn
from churn_spark.errors import ConfigError
from churn_spark.events.block import read_block
from churn_spark.events.foreign.array_lines import lines_of_arrays
from churn_spark.events.foreign.csv_rows import CsvRows
from churn_spark.events.foreign.moments import millis_reader
from churn_spark.events.foreign.numbers import whole_of_cell
from churn_spark.events.foreign.record import Translator
from churn_spark.events.rules import MAX_COUNT
from churn_spark.features.ordered_events import EVENT_COLUMNS, order_events
from churn_spark.serving.events.records import Event, read_records
from churn_spark.serving.events.silence import cut_by_silence

_LEAST: Final = {
    "time": {"column": "t", "unit": "ms"},
    "user": "who",
    "page": {"column": "what"},
}


def _translate(mapping: Mapping[str, Any], **record: Any) -> dict[str, Any]:
    return Translator(LogMapping.model_validate({**_LEAST, **mapping})).translate(
        {"t": 1, "who": "7", "what": "x", **record}
    )


def test_all_mistakes_of_a_mapping_are_named_at_once(tmp_path: Path) -> None:
    path = tmp_path / "mapping.yaml"
    path.write_text(
        "time: {column: t, unit: hours}\nuser: {colum: who}\nlevel: {column: a, constant: free}\n"
        "page: {column: p, names: {sing: [x]}}\nsesion: s\n"
    )
    with pytest.raises(ConfigError) as caught:
        load_config(overrides=[f"ingest.mapping={path}"])
    told = str(caught.value)
    for where in (
        "ingest.mapping.time.unit: Input should be 's', 'ms', 'us' or 'iso'",
        "ingest.mapping.user.column: Field required",
        "ingest.mapping.user.colum: no such key (did you mean ingest.mapping.user.column?)",
        "ingest.mapping.level: expected either column, or constant",
        "ingest.mapping.page.names: found the roles ['sing'], expected of song,",
        "ingest.mapping.sesion: no such key (did you mean ingest.mapping.session?)",
    ):
        assert where in told


@pytest.mark.parametrize(
    ("mapping", "told"),
    [
        ({"time": {"column": "t", "unit": "iso", "zone": "Mars/Crater"}}, "a time zone"),
        ({"time": {"column": "t", "unit": "iso", "format": "%H"}}, "year, month and day"),
        ({"time": {"column": "t", "unit": "iso", "format": "%d/%m/%Y %H:%m"}}, "directive twice"),
        ({"time": {"column": "t", "unit": "iso", "format": "%Y-%m-%d %I:%M"}}, "from afternoon"),
        ({"time": {"column": "t", "unit": "iso", "format": "%Y-%m-%d %"}}, "stray %"),
        ({"time": {"column": "t", "unit": "s", "format": "%Y%m%d"}}, "is for numbers"),
        ({"page": {"column": "p", "names": {"song": ["a"], "home": ["a"]}}}, "for two roles"),
        ({"page": {"column": "p", "constant": "a"}}, "either column, or constant"),
        ({"session": {"silence_minutes": 0}}, "greater than or equal to 1"),
        ({"session": {"column": "s", "silence_minutes": 30}}, "either column, or silence"),
        ({"level": {"column": "l", "free": "x", "paid": "x"}}, "for free and for paid"),
        ({"level": {"column": "l", "free": "no", "paid": [False]}}, "'no'.* for free and for paid"),
        ({"tell_apart": "id", "also": {"song": "title"}}, "share a place"),
        ({"csv_files": {"columns": ["a", "a"]}}, "twice"),
    ],
)
def test_a_mapping_that_contradicts_itself_is_refused(
    mapping: Mapping[str, Any], told: str
) -> None:
    with pytest.raises(ConfigError, match=told):
        ingest_by({**_LEAST, **mapping})


def test_settings_of_a_mapping_stand_between_environment_and_command_line(tmp_path: Path) -> None:
    path = tmp_path / "mapping.yaml"
    settings = {"labels": {"horizon_days": 90, "gap_days": 3}, "ingest": {"buckets": 2}}
    path.write_text(yaml.safe_dump({**_LEAST, "settings": settings}))
    config = load_config(overrides=["labels.gap_days=5", f"ingest.mapping={path}"])
    assert (config.labels.horizon_days, config.labels.gap_days) == (90, 5)
    assert config.ingest.buckets == 2
    assert config.ingest.mapping == LogMapping.model_validate(_LEAST)


def test_a_mapping_that_is_no_file_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"found no file not/there\.yaml"):
        load_config(overrides=["ingest.mapping=not/there.yaml"])


@pytest.mark.parametrize(
    ("column", "value", "expected"),
    [
        ({"unit": "s"}, 1538352000, 1538352000000),
        ({"unit": "s"}, "1538352000.25", 1538352000250),
        ({"unit": "ms"}, "1538352000000", 1538352000000),
        ({"unit": "us"}, 1538352000000999, 1538352000000),
        ({"unit": "iso"}, "2018-10-01T00:00:00Z", 1538352000000),
        ({"unit": "iso"}, "2018-10-01T02:00:00.5+02:00", 1538352000500),
        ({"unit": "iso", "zone": "Europe/Berlin"}, "2018-10-01 02:00", 1538352000000),
        ({"unit": "iso", "zone": "Europe/Berlin"}, "2018-11-01 01:00", millis("2018-11-01 00:00")),
        ({"unit": "iso", "zone": "Europe/Berlin"}, "2018-10-01T00:00:00Z", 1538352000000),
        ({"unit": "iso", "format": "%Y%m%d"}, 20181001, 1538352000000),
        ({"unit": "iso", "format": "%d.%m.%Y"}, "01.10.2018", 1538352000000),
        ({"unit": "iso", "format": "%d.%m.%Y %I %p"}, "01.10.2018 12 AM", 1538352000000),
        ({"unit": "iso"}, "", None),
        ({"unit": "ms"}, " ", None),
        # What can't be read stays a text, or what it was: no number in another unit.
        ({"unit": "iso"}, 1538352000000, "1538352000000"),
        ({"unit": "iso"}, "soon", "soon"),
        ({"unit": "ms"}, "2018-10-01", "2018-10-01"),
        ({"unit": "s"}, True, True),
        ({"unit": "iso", "format": "%Y%m%d"}, "20181301", "20181301"),
    ],
)
def test_times_are_milliseconds_whatever_their_notation(
    column: Mapping[str, str], value: object, expected: object
) -> None:
    read = millis_reader(TimeColumn.model_validate({"column": "t", **column}))
    assert read(value) == expected
    assert type(read(value)) is type(expected)


def test_names_of_one_role_become_one_page_and_others_stay() -> None:
    page = {"column": "what", "names": {"song": ["play", "video"], "cancel": "17"}}
    found = {
        what: _translate({"page": page}, what=what)["page"]
        for what in ("play", " video ", 17, "Home", "jump", None)
    }
    assert found == {
        "play": "NextSong",
        " video ": "NextSong",
        17: "Cancellation Confirmation",
        "Home": "Home",
        "jump": "jump",
        None: None,
    }


def test_everybody_is_logged_in_but_who_cancels_where_the_log_says_nothing_of_it() -> None:
    page = {"column": "what", "names": {"cancel": ["bye"]}}
    assert _translate({"page": page}, what="play")["auth"] == "Logged In"
    assert _translate({"page": page}, what="bye")["auth"] == "Cancelled"
    assert _translate({"page": page, "auth": "state"}, state="Guest")["auth"] == "Guest"


def test_ids_that_stand_for_nobody_are_none() -> None:
    user = {"column": ["account.id", "who"], "anonymous": ["guest", 0]}
    found = [
        _translate({"user": user}, account={"id": one}, who=other)["userId"]
        for one, other in (("guest", "7"), (0, "7"), (None, "7"), ("", "8"), (None, None), (9, 7))
    ]
    assert found == ["", "", "7", "8", "", 9]


def test_a_whole_number_is_the_same_with_and_without_its_fraction_in_cells() -> None:
    """As pandas writes it: `7.0` in files where one is missing, `7` in the others."""
    mapping = {
        **_LEAST,
        "user": {"column": "who", "anonymous": ["0.0"]},
        "page": {"column": "what", "names": {"song": ["1.0"], "help": "2"}},
        "level": {"column": "plan", "free": ["3.0"], "paid": [4.0]},
        "session": "visit",
        "location": "city",
    }
    rows = CsvRows(",", ("t", "who", "what", "plan", "visit", "city"))
    lines = [
        "1538352117000{0},7{0},1{0},3{0},5{0},Rome",
        "1538352117000{0},10000042{0} ,2{0},4{0},-6{0},7.0.1",
        "1538352117000{0},0{0},2{0},4{0},6{0},",
    ]
    plain, floating = (
        read_block("\n".join(lines).format(end).encode(), ingest_by(mapping), 4, rows=rows)
        for end in ("", ".0")
    )
    assert floating.events.equals(plain.events)
    assert plain.events["user_id"].to_list() == ["7", "10000042"]
    assert plain.events["page"].to_list() == ["NextSong", "Help"]
    assert plain.events["level"].to_list() == ["free", "paid"]
    assert plain.counts["anonymous"] == floating.counts["anonymous"] == 1


@pytest.mark.parametrize("cell", ["7.00", "7.0.0", "07.0", "v7.0", "7.01", ".0", "7,0", "1e3", ""])
def test_other_cells_stay_as_they_are(cell: str) -> None:
    assert whole_of_cell(cell) == cell


def test_levels_go_by_their_values_and_others_stay() -> None:
    level = {"column": "plan", "free": ["basic", False], "paid": ["plus", 1, True]}
    found = [_translate({"level": level}, plan=p)["level"] for p in ("basic", "plus", 1, True, "x")]
    assert found == ["free", "paid", "paid", "paid", "x"]
    assert _translate({"level": {"constant": "paid"}})["level"] == "paid"


@pytest.mark.parametrize(
    ("written", "same", "other"),
    [
        ("yes", ("yes", "Yes", "true", "True", "on", True), ("no", "false", "y", False)),
        ("no", ("no", "NO", "false", "False", "off", False), ("yes", "true", "n", True)),
        ("'no'", ("no",), ("No", "false", "0")),
    ],
)
def test_words_that_yaml_takes_for_booleans_are_found_however_the_log_writes_them(
    written: str, same: Sequence[object], other: Sequence[object]
) -> None:
    mapping = yaml.safe_load(
        f"level: {{column: plan, paid: [{written}]}}\n"
        f"page: {{column: what, names: {{cancel: {written}}}}}\n"
        f"user: {{column: who, anonymous: {written}}}\n"
    )
    found = {one: _translate(mapping, plan=one, what=one, who=one) for one in (*same, *other)}
    paid = [one for one, ours in found.items() if ours["level"] == "paid"]
    cancels = [one for one, ours in found.items() if ours["page"] == "Cancellation Confirmation"]
    nobody = [one for one, ours in found.items() if ours["userId"] == ""]
    assert paid == cancels == nobody == [*same]


def test_lengths_may_be_milliseconds_and_paths_go_through_lists() -> None:
    length = {"column": "tracks.0.ms", "unit": "ms"}
    assert _translate({"length": length}, tracks=[{"ms": "1500"}])["length"] == 1.5
    assert _translate({"length": length}, tracks=[])["length"] is None
    assert _translate({"length": "a.b"}, **{"a.b": 2, "a": {"b": 3}})["length"] == 2


@given(st.text(min_size=1))
def test_sessions_with_names_have_numbers_that_the_rules_accept(name: str) -> None:
    found = _translate({"session": "visit"}, visit=f"v{name}")["sessionId"]
    assert isinstance(found, int)
    assert 0 <= found < MAX_COUNT
    assert found == _translate({"session": "visit"}, visit=f"v{name}")["sessionId"]
    assert found != _translate({"session": "visit"}, visit=f"w{name}")["sessionId"]


def test_sessions_of_64_bits_are_told_from_their_neighbours() -> None:
    big = 2**62
    found = [_translate({"session": "visit"}, visit=one)["sessionId"] for one in (big, big + 1)]
    assert found[0] != found[1]
    assert all(0 <= one < MAX_COUNT for one in found)
    assert found == [
        _translate({"session": "visit"}, visit=str(one))["sessionId"] for one in (big, big + 1)
    ]
    assert _translate({"session": "visit"}, visit="38")["sessionId"] == 38


@pytest.mark.parametrize("session", [-1, -(2**31), -(2**53), -(2**59), -(2**63), 2**53, 2**64 - 1])
def test_a_session_may_be_a_signed_hash_in_every_kind_of_file(session: int) -> None:
    config = ingest_by({**_LEAST, "session": "visit"})
    record = {"t": 1538352117000, "who": "7", "what": "x", "visit": session}
    cells = ",".join(map(str, record.values())).encode()
    block = read_block(json.dumps(record).encode(), config, 4)
    assert block.counts["accepted"] == 1
    of_cells = read_block(cells, config, 4, rows=CsvRows(",", [*record]))
    assert of_cells.events.equals(block.events)
    next_one = read_block(json.dumps({**record, "visit": session + 1}).encode(), config, 4)
    assert next_one.events["session_id"].to_list() != block.events["session_id"].to_list()


def test_a_session_that_is_no_whole_number_is_none() -> None:
    config = ingest_by({**_LEAST, "session": "visit"})
    for session in (1.5, -1.5, math.inf, 1e300):
        line = json.dumps({"t": 1538352117000, "who": "7", "what": "x", "visit": session})
        block = read_block(line.encode(), config, 4)
        assert block.rejected["reason"].to_list() == ["number out of range"]


def test_events_that_are_alike_are_told_apart_by_what_is_named() -> None:
    lines = b'{"t": 1538352000000, "who": 7, "what": "x", "id": 1}\n' * 2
    lines += b'{"t": 1538352000000, "who": 7, "what": "x", "id": 2}\n'
    for tell_apart, n_events in ((), 1), (("id",), 2), (("none", "id"), 2):
        config = ingest_by({**_LEAST, "tell_apart": tell_apart})
        assert read_block(lines, config, 1).events["event_hash"].n_unique() == n_events


@pytest.mark.parametrize("end", ["", ', "z": NaN', ', "z": [{"a": 1}, {"a": 2}]', ', "z": "\\":"'])
@pytest.mark.parametrize("gap", ["", " "])
def test_of_a_key_that_stands_twice_in_a_line_the_first_counts(gap: str, end: str) -> None:
    """As in a log in our own words."""
    keys = {"ts": "t", "userId": "who", "page": "what", "sessionId": "visit"}
    text = '{"ts": 1538352117000, "userId": "a", "page": "x", "sessionId": 1, "userId": "b"'
    ours = (text + end + "}").replace('":', f'"{gap}:')
    theirs = ours
    for name, other in keys.items():
        theirs = theirs.replace(f'"{name}"', f'"{other}"')
    read = read_block(ours.encode(), load_config().ingest, 4).events
    mapped = read_block(theirs.encode(), ingest_by({**_LEAST, "session": "visit"}), 4).events
    assert read["user_id"].to_list() == mapped["user_id"].to_list() == ["a"]
    nested = '{"t": 1538352117000, "who": {"id": 1, "id": 2}, "what": "x", "visit": 1}'
    config = ingest_by({**_LEAST, "user": "who.id", "session": "visit"})
    assert read_block(nested.encode(), config, 4).events["user_id"].to_list() == ["1"]


def test_awkward_lines_of_a_mapped_log_go_to_quarantine_with_their_place() -> None:
    good = b'{"t": 1538352000000, "who": 7, "what": "x"}'
    lines = [
        good,
        b"{broken",
        b"",
        b"[1]",
        b'{"t": Infinity, "who": 7, "what": "x"}',
        b'{"t": 1538352000000, "who": 7, "what": ["x"]}',
        b'{"t": 1538352000000, "who": 7}',
        b'{"who": 7, "what": "x"}',
        b'{"t": 1538352000000, "who": {"id": 7}, "what": "x"}',
        b'{"t": 1538352000000, "who": "\\ud800", "what": "x"}',
        b'{"t": 1538352000000, "who": 7, "what": "\xff"}',
        b'{"t": 99999999999999999999999, "who": 7, "what": "x"}',
        b'"' + b"x" * 70_000 + b'"',
        good,
    ]
    rejected = read_block(b"\n".join(lines), ingest_by(_LEAST), 1).rejected
    starts = {sum(len(line) + 1 for line in lines[:n]): n for n in range(len(lines))}
    found = {starts[row["byte_offset"]]: row["reason"] for row in rejected.to_dicts()}
    assert found == {
        1: "broken JSON",
        3: "broken JSON",
        4: "ts out of range",
        5: "wrong type",
        6: "missing page",
        7: "missing ts",
        8: "wrong type",
        10: "invalid UTF-8",
        11: "ts out of range",
        12: "line too long",
    }


@pytest.mark.parametrize("depth", [101, 300, 1000])
@pytest.mark.parametrize(
    ("column", "mapping"),
    [
        ("t", {}),
        ("t", {"time": {"column": "t", "unit": "iso"}}),
        ("who", {}),
        ("what", {}),
        ("x", {"session": "x"}),
        ("x", {"also": {"song": "x"}}),
        ("x", {"tell_apart": ["x"]}),
        ("x", {"level": {"column": "x"}}),
    ],
)
def test_a_value_nested_too_deep_is_one_of_a_wrong_type(
    column: str, mapping: dict[str, Any], depth: int
) -> None:
    values = {"t": "1538352000000", "who": "7", "what": '"x"', column: "[" * depth + "]" * depth}
    line = "{" + ", ".join(f'"{name}": {value}' for name, value in values.items()) + "}"
    config = ingest_by({**_LEAST, **mapping})
    assert read_block(line.encode(), config, 1).counts["wrong type"] == 1


def _as_array(text: str, n_bytes: int) -> bytes:
    data = text.encode()
    chunks = (data[at : at + n_bytes] for at in range(0, len(data), n_bytes))
    return b"".join(lines_of_arrays(chunks))


@given(
    st.lists(
        st.dictionaries(
            st.text(max_size=3),
            st.recursive(
                st.none() | st.integers() | st.text(alphabet='a"\\[]{},\né', max_size=5),
                lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner),
                max_leaves=4,
            ),
            max_size=3,
        ),
        max_size=4,
    ),
    st.sampled_from([None, 1]),
    st.integers(1, 9),
)
def test_objects_of_an_array_stand_on_lines_at_their_place(
    objects: list[dict[str, Any]], indent: int | None, n_bytes: int
) -> None:
    text = json.dumps(objects, indent=indent, ensure_ascii=False)
    lines = _as_array(text, n_bytes)
    assert [json.loads(line) for line in lines.split(b"\n") if line.strip()] == objects
    assert len(lines) == len(text.encode())


def _silent_log(seed: int) -> list[dict[str, Any]]:
    return [foreign(one) for one in random_records(seed, n_users=8)]


SILENT: Final = {
    **{name: value for name, value in MAPPING.items() if name not in ("session", "item")},
    "session": {"silence_minutes": 30},
}


def _ordered(records: list[dict[str, Any]]) -> pl.DataFrame:
    lines = "\n".join(map(json.dumps, records)).encode()
    events = read_block(lines, ingest_by(SILENT), N_BUCKETS).events
    # A number that no line can have: the rules refuse negative ones.
    assert set(events["session_id"]) == {-30}
    return order_events(events.select(EVENT_COLUMNS))


def test_visits_are_cut_by_silence_and_at_midnight() -> None:
    minutes = {"a": (0, 29, 59, 90), "b": (1435, 1439, 1440, 1460)}
    records = [
        {"t": 1538352000000 + 60_000 * n, "who": who, "what": "x"}
        for who, of_user in minutes.items()
        for n in of_user
    ]
    lines = "\n".join(map(json.dumps, records)).encode()
    events = order_events(read_block(lines, ingest_by(_LEAST), 1).events.select(EVENT_COLUMNS))
    found = {
        (str(user), (ts - 1538352000000) // 60_000): -(session + 1538352000000) // 60_000
        for user, ts, session in events.select("user_id", "millis", "session_id").rows()
    }
    assert found == {
        **{("a", n): 0 for n in (0, 29, 59)},
        ("a", 90): 90,
        **{("b", n): 1435 for n in (1435, 1439)},
        **{("b", n): 1440 for n in (1440, 1460)},
    }


@pytest.mark.parametrize("seed", range(3))
def test_visits_of_a_date_do_not_depend_on_what_else_is_read(seed: int) -> None:
    records = _silent_log(seed)
    whole = _ordered(records)
    columns = ("event_hash", "event_date", "session_id")
    days = sorted(set(whole["event_date"]))
    parts = [
        _ordered([one for one in records if one["occurred_at"].startswith(str(day))])
        for day in days
    ]
    assert sorted(pl.concat([part.select(columns) for part in parts]).rows()) == sorted(
        whole.select(columns).rows()
    )


@pytest.mark.parametrize("seed", range(3))
def test_the_service_cuts_the_same_visits(seed: int) -> None:
    records = _silent_log(seed)
    random.Random(seed).shuffle(records)
    reading = read_records(records, ingest_by(SILENT))
    by_user: dict[str, list[Event]] = {}
    for event in reading.events:
        by_user.setdefault(event.user_id, []).append(event)
    sessions = {
        (event.user_id, event.ts, event.session_id)
        for events in by_user.values()
        for event in cut_by_silence(events)
    }
    ordered = _ordered(records)
    assert sessions == {
        (str(user), ts, session)
        for user, ts, session in ordered.select("user_id", "millis", "session_id").rows()
    }
    assert len(sessions) > 10


def test_a_summer_day_has_the_hours_of_its_zone() -> None:
    column = TimeColumn(column=("t",), unit="iso", zone="America/New_York")
    found = millis_reader(column)("2018-07-01T00:00:00")
    start = datetime(2018, 7, 1, tzinfo=UTC) + timedelta(hours=4)
    assert found == int(start.timestamp() * 1000)
    assert start.date() == date(2018, 7, 1)
