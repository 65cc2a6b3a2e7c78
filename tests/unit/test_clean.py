"""What becomes of each record: event, anonymous or quarantine; and what an event keeps of it."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import accumulate
from pathlib import Path
from typing import Any

import oracles
import polars as pl
import pytest
from builders import AGENTS, N_BUCKETS, millis, random_records, read_file, record

from churn_spark.config import Config, load_config
from churn_spark.contracts.tables import EVENTS, QUARANTINE
from churn_spark.events import rules
from churn_spark.events.block import Block, read_block
from churn_spark.events.clean import bucket_of
from churn_spark.events.hashes import hash_records
from churn_spark.events.parse import parse_block
from churn_spark.events.values import family_of
from churn_spark.serving.events.hashes import hash_record

Row = dict[str, Any]

_NAN = float("nan")

REASONS: dict[str, tuple[str | bytes | dict[str, object], str]] = {
    "not JSON": ("no JSON", rules.BROKEN_JSON),
    "glued": (json.dumps(record()) * 2, rules.BROKEN_JSON),
    "invalid UTF-8": (b'{"page": "\xff"}', rules.INVALID_UTF8),
    "too long": (record(song="x" * 70_000), rules.LINE_TOO_LONG),
    "wrong type": (record(ts="1538352000000"), rules.WRONG_TYPE),
    "wrong type, anonymous": (record(userId="", page=5), rules.WRONG_TYPE),
    "ts absent": (record(drop=["ts"]), rules.MISSING_TS),
    "ts null": (record(ts=None), rules.MISSING_TS),
    "ts NaN": (record(ts=_NAN), rules.MISSING_TS),
    "ts absent, anonymous": (record(drop=["ts"], userId=""), rules.MISSING_TS),
    "ts and page absent": (record(drop=["ts", "page"]), rules.MISSING_TS),
    "page absent": (record(drop=["page"]), rules.MISSING_PAGE),
    "page null": (record(page=None), rules.MISSING_PAGE),
    "page empty": (record(page=""), rules.MISSING_PAGE),
    "page blank": (record(page="  "), rules.MISSING_PAGE),
    "ts in seconds": (record(ts=1538352000), rules.TS_IN_SECONDS),
    "ts in seconds, fraction": (record(ts=1538352000.123), rules.TS_IN_SECONDS),
    "ts in microseconds": (record(ts=1538352000000000), rules.TS_OUT_OF_RANGE),
    "ts zero": (record(ts=0), rules.TS_OUT_OF_RANGE),
    "ts negative": (record(ts=-1538352000000), rules.TS_OUT_OF_RANGE),
    "ts infinite": (record(ts=float("inf")), rules.TS_OUT_OF_RANGE),
    "year 1990": (record(ts=millis("1990-06-01 00:00:00")), rules.TS_OUT_OF_RANGE),
    "year 2005": (record(ts=millis("2005-12-31 23:59:59")), rules.TS_OUT_OF_RANGE),
    "year 2150": (record(ts=millis("2150-01-01 00:00:00")), rules.TS_OUT_OF_RANGE),
    "userId in another case": (
        record(drop=["userId"], userid="41"),
        rules.MISSPELT_KEY,
    ),
    "all keys in another case": (
        {name.upper(): value for name, value in record().items()},
        rules.MISSPELT_KEY,
    ),
    "keys with underscores": (
        record(drop=["userId", "sessionId"], user_id=41, session_id=3),
        rules.MISSPELT_KEY,
    ),
    "userId null, and in another case": (record(userId=None, UserID="41"), rules.MISSPELT_KEY),
    "sessionId absent": (record(drop=["sessionId"]), rules.MISSING_SESSION),
    "sessionId null": (record(sessionId=None), rules.MISSING_SESSION),
    "sessionId NaN": (record(sessionId=_NAN), rules.MISSING_SESSION),
    "page tab": (record(page="\t"), rules.MISSING_PAGE),
    "registration beyond time": (record(registration=10**17), rules.NUMBER_OUT_OF_RANGE),
    "registration infinite": (record(registration=float("inf")), rules.NUMBER_OUT_OF_RANGE),
    "registration negative": (record(registration=-(10**15)), rules.NUMBER_OUT_OF_RANGE),
    "sessionId infinite": (record(sessionId=float("inf")), rules.NUMBER_OUT_OF_RANGE),
    "sessionId fraction": (record(sessionId=1.5), rules.NUMBER_OUT_OF_RANGE),
    "itemInSession negative": (record(itemInSession=-1), rules.NUMBER_OUT_OF_RANGE),
    "length negative": (record(length=-3), rules.NUMBER_OUT_OF_RANGE),
    "length infinite": (record(length=float("inf")), rules.NUMBER_OUT_OF_RANGE),
}
_BARE = {"ts": 1538352000000, "page": "Home"}
CONTENTS: dict[str, tuple[str | bytes | dict[str, object], str]] = {
    "a wrong kind": (
        _BARE | {"ts": "Iris", "page": None, "status": -2.5, "Iris": {"Hyde": 1}},
        "ts text, status negative fraction, page null, 1 other key",
    ),
    "a misspelt key": (
        _BARE | {"USERID": 7, "x": [], "y": True},
        "ts 13-digit number, page text, USERID for userId 1-digit number, 2 other keys",
    ),
    "no key": ({}, "no key"),
    "encoded twice": (json.dumps(json.dumps(record())), "text with JSON in it: encoded twice"),
    "a list": ("[7]", "list in the place of an object"),
    "cut off": (
        '{"ts": 5, "lastName": "Hyde", "firstName": "Iri',
        "Unterminated string starting at, character 43; names in it: ts, lastName, firstName",
    ),
    "glued": (
        '{"ts": 5}{"Iris": "Hyde"}',
        "Extra data, character 9; names in it: ts",
    ),
    "no known name": ("Iris Hyde", "Expecting value, character 0; no known name in it"),
    "invalid UTF-8": (
        b'{"lastName": "\xff"}',
        "no UTF-8 from byte 14 on; names in it: lastName",
    ),
    "UTF-16": (
        '{"ts": 5}'.encode("utf-16"),
        "bytes of zero, as in UTF-16 or where a file was cut off",
    ),
}
ANONYMOUS: dict[str, dict[str, object]] = {
    "userId null": record(userId=None),
    "userId absent": record(drop=["userId"]),
    "userId empty": record(userId=""),
    "userId blank": record(userId="   "),
    "userId tab": record(userId="\t"),
    "userId two quotes": record(userId='""'),
    "userId configured": record(userId="1261737"),
    "userId configured, integer": record(userId=1261737),
    "userId empty under another spelling": record(drop=["userId"], userid=""),
    "userId empty, and under another spelling": record(userId="", user_id="41"),
    "sessionId absent too": record(userId="", sessionId=None),
    "logged out": {"ts": 1538352000000, "userId": "", "page": "Home", "auth": "Logged Out"},
}
EVENTS_BY_CASE: dict[str, dict[str, object]] = {
    "plain": record(userId="plain"),
    "first instant": record(userId="first", ts=millis("2006-01-01 00:00:00")),
    "last instant": record(userId="last", ts=millis("2100-01-01 00:00:00") - 1),
    "millisecond before midnight": record(userId="late", ts=1538352000000 + 86_399_999),
    "float numbers": record(userId="float", ts=1538352000123.0, registration=1537000000456.0),
    "integer userId": record(userId=42),
    "float userId": record(userId=43.0),
    "spaces around the userId": record(userId=" spaced "),
    "unknown page": record(userId="tomorrow", page="A page of tomorrow"),
    "cancelled": record(userId="gone", page="Cancellation Confirmation", auth="Cancelled"),
    "logged out with a userId": record(userId="out", auth="Logged Out"),
    "no profile": record(
        userId="bare",
        drop=["gender", "location", "userAgent", "registration", "level", "itemInSession"],
    ),
    "location without a comma": record(userId="guam", location="Guam"),
    "location with two commas": record(userId="commas", location="Washington, Arlington, DC-VA"),
    "location without a state": record(userId="stateless", location="Lima, "),
    "location is empty": record(userId="nowhere", location=""),
    "location is a coordinate": record(userId="point", location="42.3601, 71.0589"),
}
_AGENT_CASES = {
    None: (None, None),
    "": (None, None),
    " ": (None, None),
    "curl/7.35.0": ("other", "other"),
    '"Mozilla/5.0 (Windows NT 6.1; WOW64) AppleWebKit/537.36 (KHTML, like Gecko) '
    'Chrome/36.0.1985.143 Safari/537.36"': ("Windows", "Chrome"),
    "Mozilla/5.0 (Windows NT 6.1; WOW64; rv:31.0) Gecko/20100101 Firefox/31.0": (
        "Windows",
        "Firefox",
    ),
    "Mozilla/5.0 (compatible; MSIE 9.0; Windows NT 6.1; WOW64; Trident/5.0)": (
        "Windows",
        "Internet Explorer",
    ),
    "Mozilla/5.0 (Windows NT 6.3; WOW64; Trident/7.0; rv:11.0) like Gecko": (
        "Windows",
        "Internet Explorer",
    ),
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/91.0.4472.124 Safari/537.36 Edg/91.0.864.59": ("Windows", "Edge"),
    "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/46.0.2486.0 Safari/537.36 Edge/13.10586": ("Windows", "Edge"),
    "Mozilla/5.0 (Windows NT 6.1) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/36.0.1985.125 Safari/537.36 OPR/23.0.1522.60": ("Windows", "Opera"),
    '"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_9_4) AppleWebKit/537.77.4 (KHTML, like Gecko) '
    'Version/7.0.5 Safari/537.77.4"': ("macOS", "Safari"),
    "Mozilla/5.0 (X11; Ubuntu; Linux i686; rv:31.0) Gecko/20100101 Firefox/31.0": (
        "Linux",
        "Firefox",
    ),
    "Mozilla/5.0 (X11; CrOS x86_64 5841.98.0) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/36.0.1985.138 Safari/537.36": ("ChromeOS", "Chrome"),
    "Mozilla/5.0 (iPhone; CPU iPhone OS 7_1_2 like Mac OS X) AppleWebKit/537.51.2 (KHTML, like "
    "Gecko) Version/7.0 Mobile/11D257 Safari/9537.53": ("iOS", "Safari"),
    "Mozilla/5.0 (iPad; CPU OS 7_1_2 like Mac OS X) AppleWebKit/537.51.2 (KHTML, like Gecko) "
    "CriOS/36.0.1985.49 Mobile/11D257 Safari/9537.53": ("iOS", "Chrome"),
    "Mozilla/5.0 (Linux; Android 4.4.2; SM-G900P) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/36.0.1985.131 Mobile Safari/537.36": ("Android", "Chrome"),
}


@pytest.fixture(scope="module")
def base() -> Config:
    """The base configuration."""
    return load_config()


@dataclass(frozen=True)
class Sorted:
    """What became of the lines of one block that has every case, and of each alone."""

    n_lines: int
    block: Block
    fates: dict[str, Row]


@pytest.fixture(scope="module")
def outcome(base: Config) -> Sorted:
    """Every case in one block, and each in a block of its own."""
    cases = {name: line for name, (line, _) in REASONS.items()} | ANONYMOUS | EVENTS_BY_CASE
    lines = {name: _as_bytes(line) for name, line in cases.items()}
    return Sorted(
        n_lines=len(lines),
        block=read_block(b"\n".join(lines.values()), base.ingest, N_BUCKETS),
        fates={
            name: {
                what: n
                for what, n in read_block(line, base.ingest, N_BUCKETS).counts.items()
                if n and what != "read"
            }
            for name, line in lines.items()
        },
    )


def _as_bytes(line: str | bytes | Row) -> bytes:
    text = json.dumps(line) if isinstance(line, dict) else line
    return text if isinstance(text, bytes) else text.encode()


@pytest.fixture(scope="module")
def event(outcome: Sorted) -> dict[str, Row]:
    """Name of the case -> its event."""
    rows = {row["user_id"]: row for row in outcome.block.events.to_dicts()}
    users = {
        name: str(one["userId"]).strip().removesuffix(".0") for name, one in EVENTS_BY_CASE.items()
    }
    return {name: rows[user] for name, user in users.items()}


@pytest.mark.parametrize("case", REASONS)
def test_line_is_quarantined_with_its_reason_when(case: str, outcome: Sorted) -> None:
    assert outcome.fates[case] == {REASONS[case][1]: 1}


@pytest.mark.parametrize("case", ANONYMOUS)
def test_record_is_anonymous_when(case: str, outcome: Sorted) -> None:
    assert outcome.fates[case] == {"anonymous": 1}


@pytest.mark.parametrize("case", EVENTS_BY_CASE)
def test_record_is_accepted_when(case: str, outcome: Sorted) -> None:
    assert outcome.fates[case] == {"accepted": 1}


def test_counts_add_up_when_every_fate_occurs(outcome: Sorted) -> None:
    reasons = Counter(reason for _, reason in REASONS.values())
    expected = {reason: reasons[reason] for reason in rules.REASONS}
    expected |= {"read": outcome.n_lines, "anonymous": len(ANONYMOUS), "erased": 0}
    expected |= {"accepted": len(EVENTS_BY_CASE)}
    counts = outcome.block.counts
    assert counts == expected
    assert outcome.n_lines == sum(counts.values()) - counts["read"]


def test_each_reason_is_seen_when_every_fate_occurs(outcome: Sorted) -> None:
    of_lines = set(rules.REASONS) - {rules.BROKEN_ROW}
    assert set(outcome.block.rejected["reason"]) == of_lines


def test_quarantine_has_the_place_of_each_line_and_none_of_its_values(outcome: Sorted) -> None:
    lines = [_as_bytes(line) for line, _ in REASONS.values()]
    rejected = outcome.block.rejected
    assert [tuple(row) for row in rejected.select("byte_offset", "line_bytes").rows()] == [
        (start, len(line))
        for start, line in zip(
            accumulate((len(line) + 1 for line in lines), initial=0), lines, strict=False
        )
    ]
    assert not {"Iris", "Hyde", "Mozilla", "New York"} & set(
        re.findall(r"[A-Z]\w+", _told(rejected))
    )


@pytest.mark.parametrize("case", CONTENTS)
def test_contents_say_what_is_there(case: str, base: Config) -> None:
    line, contents = CONTENTS[case]
    [row] = read_block(_as_bytes(line), base.ingest, N_BUCKETS).rejected.to_dicts()
    assert row["contents"] == contents


def test_hash_is_that_of_the_line_unless_it_is_short(base: Config) -> None:
    long, other = json.dumps(record(ts=None)), json.dumps(record(ts=None, song="Carri"))
    printed = ['  "lastName": "Hyde",', '  "firstName": "Iris"']
    data = "\n".join([long, other, long, *printed]).encode()
    hashes = read_block(data, base.ingest, N_BUCKETS).rejected["line_hash"].to_list()
    assert hashes[0] == hashes[2] != hashes[1]
    assert hashes[3:] == [None, None]


def test_place_is_that_in_the_file_when_the_block_is_a_part_of_it(base: Config) -> None:
    rejected = read_block(b"{}\r\n\n[1]\r", base.ingest, N_BUCKETS, offset=1000).rejected
    assert rejected["byte_offset"].to_list() == [1000, 1005]


def test_names_reach_no_column_when_records_have_them(outcome: Sorted) -> None:
    told = _told(outcome.block.events)
    assert "Iris" not in told
    assert "Hyde" not in told


def _told(frame: pl.DataFrame) -> str:
    return " ".join(str(row) for row in frame.rows())


def test_columns_are_those_of_the_tables_but_the_delivery(outcome: Sorted) -> None:
    delivery = {"source_file", "ingest_batch", "rejected_date"}
    for frame, spec in ((outcome.block.events, EVENTS), (outcome.block.rejected, QUARANTINE)):
        assert frame.columns == [name for name in spec.column_names if name not in delivery]


def test_event_has_typed_values_when_record_is_plain(event: dict[str, Row]) -> None:
    values = dict(event["plain"])
    assert isinstance(values.pop("event_hash"), int)
    assert values == {
        "event_date": date(2018, 10, 1),
        "event_ts": datetime(2018, 10, 1, tzinfo=UTC),
        "user_id": "plain",
        "session_id": 1,
        "item_in_session": 0,
        "page": "NextSong",
        "auth": "Logged In",
        "level": "free",
        "song_seconds": 200.5,
        "registered_ts": datetime(2018, 9, 15, 8, 26, 40, tzinfo=UTC),
        "gender": "F",
        "location": "NY",
        "os": "Windows",
        "browser": "Firefox",
        "subscribed_until_ts": None,
        "bucket": bucket_of("plain", N_BUCKETS),
    }


def test_event_keeps_milliseconds_when_numbers_are_floats(event: dict[str, Row]) -> None:
    assert event["float numbers"]["event_ts"].microsecond == 123_000
    assert event["float numbers"]["registered_ts"].microsecond == 456_000


def test_event_date_is_utc_when_a_millisecond_before_midnight(event: dict[str, Row]) -> None:
    assert event["millisecond before midnight"]["event_date"] == date(2018, 10, 1)


@pytest.mark.parametrize(
    ("case", "user_id"), [("integer userId", "42"), ("spaces around the userId", "spaced")]
)
def test_user_id_is_plain_text_when(case: str, user_id: str, event: dict[str, Row]) -> None:
    assert event[case]["user_id"] == user_id


def test_page_is_kept_when_unknown(event: dict[str, Row]) -> None:
    assert event["unknown page"]["page"] == "A page of tomorrow"


def test_profile_is_null_when_record_has_none(event: dict[str, Row]) -> None:
    bare = event["no profile"]
    fields = ("gender", "location", "os", "browser", "registered_ts", "level", "item_in_session")
    assert [bare[field] for field in fields] == [None] * len(fields)


@pytest.mark.parametrize(
    ("case", "state"),
    [
        ("plain", "NY"),
        ("location without a comma", "Guam"),
        ("location with two commas", "DC"),
        ("location without a state", None),
        ("location is empty", None),
        ("location is a coordinate", None),
    ],
)
def test_location_is_the_state_when(case: str, state: str | None, event: dict[str, Row]) -> None:
    assert event[case]["location"] == state


@pytest.mark.parametrize("agent", _AGENT_CASES)
def test_agent_gives_os_and_browser_when(agent: str | None) -> None:
    assert _families(agent) == _AGENT_CASES[agent]


def test_oracle_agrees_when_agents_are_known() -> None:
    for agent in (*_AGENT_CASES, *AGENTS):
        assert _families(agent) == (oracles.os_of(agent), oracles.browser_of(agent))


def _families(agent: str | None) -> tuple[str | None, str | None]:
    return family_of(agent, rules.OS_RULES), family_of(agent, rules.BROWSER_RULES)


_VARIANTS: dict[str, bytes] = {
    "plain": b"".join(json.dumps(record(sessionId=s)).encode() + b"\n" for s in (1, 2)),
    "no newline at the end": "\n".join(json.dumps(record(sessionId=s)) for s in (1, 2)).encode(),
    "CRLF": b"".join(json.dumps(record(sessionId=s)).encode() + b"\r\n" for s in (1, 2)),
    "CR": b"".join(json.dumps(record(sessionId=s)).encode() + b"\r" for s in (1, 2)),
    "byte-order mark": b"\xef\xbb\xbf"
    + b"".join(json.dumps(record(sessionId=s)).encode() + b"\n" for s in (1, 2)),
    "blank lines": b"\n\n  \n"
    + b"\n\n".join(json.dumps(record(sessionId=s)).encode() for s in (1, 2)),
    "floats": b"".join(
        json.dumps(record(sessionId=float(s), ts=1538352000000.0, status=200.0)).encode() + b"\n"
        for s in (1, 2)
    ),
    "integer userId": b"".join(
        json.dumps(record(sessionId=s, userId=7)).encode() + b"\n" for s in (1, 2)
    ),
    "keys in another order, one unknown": b"".join(
        json.dumps({"new": 1} | dict(reversed(record(sessionId=s).items()))).encode() + b"\n"
        for s in (1, 2)
    ),
}


def _load(content: bytes, folder: Path, base: Config) -> list[Row]:
    path = folder / "log.json"
    path.write_bytes(content)
    return sorted(read_file(path, base).events.to_dicts(), key=lambda row: row["session_id"])


def test_file_gives_no_event_when_empty(base: Config, tmp_path: Path) -> None:
    assert _load(b"", tmp_path, base) == []


@pytest.mark.parametrize("variant", _VARIANTS)
def test_events_and_hashes_are_the_same_when_file_has(
    variant: str, base: Config, tmp_path: Path
) -> None:
    expected = _load(_VARIANTS["plain"], tmp_path, base)
    assert len(expected) == 2
    assert _load(_VARIANTS[variant], tmp_path, base) == expected


_ONE_FIELD_OTHER: dict[str, dict[str, object]] = {
    "ts": record(ts=1538352000001),
    "userId": record(userId="8"),
    "sessionId": record(sessionId=2),
    "page": record(page="Home"),
    "auth": record(auth=None),
    "method": record(method="GET"),
    "status": record(status=None),
    "level": record(level="paid"),
    "itemInSession": record(itemInSession=None),
    "location": record(location=""),
    "userAgent": record(userAgent=None),
    "lastName": record(lastName=None),
    "firstName": record(firstName="Iri"),
    "gender": record(gender=None),
    "registration": record(registration=None),
    "artist": record(artist=""),
    "artist null": record(artist=None),
    "artist and song exchanged": record(artist="Carry", song="The Sums"),
    "song": record(song="Carry "),
    "length": record(length=200.5000001),
    "first and last name null": record(firstName=None, lastName="Iris"),
}


def test_hash_differs_when_any_field_differs(base: Config) -> None:
    records = [record(), *_ONE_FIELD_OTHER.values()]
    block = read_block(_as_lines(records), base.ingest, N_BUCKETS)
    assert block.events["event_hash"].n_unique() == len(records)


def test_hash_is_that_of_the_service() -> None:
    spoilt = [record(length=-0.0, song="B\u00e9\U0001f3b5"), record(status=-1.0, artist="\0")]
    records = [*_ONE_FIELD_OTHER.values(), *spoilt, *random_records(seed=3, n_users=9)]
    parsed = parse_block(_as_lines(records), 65_536)
    fields = (*rules.HASHED_NUMBERS, *rules.TEXTS)
    expected = [hash_record([row[name] for name in fields]) for row in parsed.records.to_dicts()]
    assert hash_records(parsed.records).to_list() == expected


def test_hash_stays_what_it_is() -> None:
    """Tables hold it: events that come again later must have the same."""
    parsed = parse_block(_as_lines([record()]), 65_536)
    assert hash_records(parsed.records).to_list() == [6182019185589060129]


def test_bucket_is_that_of_the_users_utf8() -> None:
    assert [bucket_of(user_id, 16) for user_id in ("7", "100022", "Bj\u00f6rk")] == [2, 13, 6]


def _as_lines(records: list[Row]) -> bytes:
    return "\n".join(json.dumps(one) for one in records).encode()
