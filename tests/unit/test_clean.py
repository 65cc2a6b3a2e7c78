"""What becomes of each record: event, anonymous or quarantine; and what an event keeps of it."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from churn_spark.config import Config, load_config
from churn_spark.contracts.tables import EVENTS, QUARANTINE
from churn_spark.events import clean, parse
from churn_spark.events.agents import browser_of, os_of
from churn_spark.events.lines import read_lines
from tests import oracles
from tests.builders import AGENTS, collect_dicts, millis, read_events, record, write_lines

_NAN = float("nan")

REASONS: dict[str, tuple[str | bytes | dict[str, object], str]] = {
    "not JSON": ("no JSON", parse.BROKEN_JSON),
    "glued": (json.dumps(record()) * 2, parse.BROKEN_JSON),
    "invalid UTF-8": (b'{"page": "\xff"}', parse.INVALID_UTF8),
    "too long": (record(song="x" * 70_000), parse.LINE_TOO_LONG),
    "wrong type": (record(ts="1538352000000"), parse.WRONG_TYPE),
    "wrong type, anonymous": (record(userId="", page=5), parse.WRONG_TYPE),
    "ts absent": (record(drop=["ts"]), clean.MISSING_TS),
    "ts null": (record(ts=None), clean.MISSING_TS),
    "ts NaN": (record(ts=_NAN), clean.MISSING_TS),
    "ts absent, anonymous": (record(drop=["ts"], userId=""), clean.MISSING_TS),
    "ts and page absent": (record(drop=["ts", "page"]), clean.MISSING_TS),
    "page absent": (record(drop=["page"]), clean.MISSING_PAGE),
    "page null": (record(page=None), clean.MISSING_PAGE),
    "page empty": (record(page=""), clean.MISSING_PAGE),
    "page blank": (record(page="  "), clean.MISSING_PAGE),
    "ts in seconds": (record(ts=1538352000), clean.TS_IN_SECONDS),
    "ts in seconds, fraction": (record(ts=1538352000.123), clean.TS_IN_SECONDS),
    "ts in microseconds": (record(ts=1538352000000000), clean.TS_OUT_OF_RANGE),
    "ts zero": (record(ts=0), clean.TS_OUT_OF_RANGE),
    "ts negative": (record(ts=-1538352000000), clean.TS_OUT_OF_RANGE),
    "ts infinite": (record(ts=float("inf")), clean.TS_OUT_OF_RANGE),
    "year 1990": (record(ts=millis("1990-06-01 00:00:00")), clean.TS_OUT_OF_RANGE),
    "year 2005": (record(ts=millis("2005-12-31 23:59:59")), clean.TS_OUT_OF_RANGE),
    "year 2150": (record(ts=millis("2150-01-01 00:00:00")), clean.TS_OUT_OF_RANGE),
    "sessionId absent": (record(drop=["sessionId"]), clean.MISSING_SESSION),
    "sessionId null": (record(sessionId=None), clean.MISSING_SESSION),
    "sessionId NaN": (record(sessionId=_NAN), clean.MISSING_SESSION),
    "page tab": (record(page="\t"), clean.MISSING_PAGE),
    "registration beyond time": (record(registration=10**17), clean.NUMBER_OUT_OF_RANGE),
    "registration infinite": (record(registration=float("inf")), clean.NUMBER_OUT_OF_RANGE),
    "registration negative": (record(registration=-(10**15)), clean.NUMBER_OUT_OF_RANGE),
    "sessionId infinite": (record(sessionId=float("inf")), clean.NUMBER_OUT_OF_RANGE),
    "sessionId fraction": (record(sessionId=1.5), clean.NUMBER_OUT_OF_RANGE),
    "itemInSession negative": (record(itemInSession=-1), clean.NUMBER_OUT_OF_RANGE),
    "length negative": (record(length=-3), clean.NUMBER_OUT_OF_RANGE),
    "length infinite": (record(length=float("inf")), clean.NUMBER_OUT_OF_RANGE),
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


@dataclass(frozen=True)
class Sorted:
    """What became of the lines of one file that has every case."""

    n_lines: int
    fates: list[Row]
    counts: Row
    events: list[Row]
    quarantine: list[Row]


@pytest.fixture(scope="module")
def base() -> Config:
    """The base configuration."""
    return load_config()


@pytest.fixture(scope="module")
def outcome(spark: SparkSession, base: Config, tmp_path_factory: pytest.TempPathFactory) -> Sorted:
    """Every case in one file, cleaned; in the order of the file, which one task keeps."""
    lines = [line for line, _ in REASONS.values()]
    lines += [*ANONYMOUS.values(), *EVENTS_BY_CASE.values()]
    path = write_lines(tmp_path_factory.mktemp("clean") / "cases.json", lines)
    classified = _classify(spark, [path], base)
    return Sorted(
        n_lines=len(lines),
        fates=classified.select("reason", "is_anonymous").collect(),
        counts=classified.agg(*clean.count_lines()).collect()[0],
        events=clean.build_events(classified, batch=3).collect(),
        quarantine=clean.build_quarantine(classified, batch=3, max_chars=4096).collect(),
    )


@pytest.fixture(scope="module")
def fate(outcome: Sorted) -> dict[str, Row]:
    """Name of the case -> its reason and whether it is anonymous."""
    names = [*REASONS, *ANONYMOUS, *EVENTS_BY_CASE]
    return dict(zip(names, outcome.fates, strict=True))


@pytest.fixture(scope="module")
def event(outcome: Sorted) -> dict[str, Row]:
    """Name of the case -> its event."""
    return dict(zip(EVENTS_BY_CASE, outcome.events, strict=True))


def _classify(spark: SparkSession, paths: list[Path], config: Config) -> DataFrame:
    lines = read_lines(spark, [str(path) for path in paths]).coalesce(1)
    parsed = parse.parse_lines(lines, config.ingest.max_line_bytes)
    return clean.classify_records(parsed, config.ingest)


@pytest.mark.parametrize("case", REASONS)
def test_line_is_quarantined_with_its_reason_when(case: str, fate: dict[str, Row]) -> None:
    assert fate[case] == Row(reason=REASONS[case][1], is_anonymous=False)


@pytest.mark.parametrize("case", ANONYMOUS)
def test_record_is_anonymous_when(case: str, fate: dict[str, Row]) -> None:
    assert fate[case] == Row(reason=None, is_anonymous=True)


@pytest.mark.parametrize("case", EVENTS_BY_CASE)
def test_record_is_accepted_when(case: str, fate: dict[str, Row]) -> None:
    assert fate[case] == Row(reason=None, is_anonymous=False)


def test_counts_add_up_when_every_fate_occurs(outcome: Sorted) -> None:
    reasons = Counter(reason for _, reason in REASONS.values())
    expected = {reason: reasons[reason] for reason in clean.REASONS}
    expected |= {"read": outcome.n_lines, "anonymous": len(ANONYMOUS)}
    expected |= {"accepted": len(EVENTS_BY_CASE)}
    assert outcome.counts.asDict() == expected
    assert outcome.n_lines == sum(outcome.counts) - outcome.counts["read"]


def test_each_reason_is_seen_when_every_fate_occurs(outcome: Sorted) -> None:
    assert {row.reason for row in outcome.quarantine} == set(clean.REASONS)


def test_quarantine_keeps_line_and_length_when_line_is_long(outcome: Sorted) -> None:
    long_line = json.dumps(REASONS["too long"][0])
    row = next(row for row in outcome.quarantine if row.reason == parse.LINE_TOO_LONG)
    assert (row.raw, row.line_bytes, row.ingest_batch) == (long_line[:4096], len(long_line), 3)


def test_quarantine_names_the_file_when_a_line_is_rejected(outcome: Sorted) -> None:
    assert {row.source_file.rsplit("/", 1)[-1] for row in outcome.quarantine} == {"cases.json"}
    assert list(outcome.quarantine[0].asDict()) == QUARANTINE.column_names


def test_names_reach_no_column_when_records_have_them(outcome: Sorted) -> None:
    told = " ".join(str(row) for row in outcome.events)
    assert "Iris" not in told
    assert "Hyde" not in told
    assert list(outcome.events[0].asDict()) == EVENTS.column_names


def test_event_has_typed_values_when_record_is_plain(event: dict[str, Row]) -> None:
    values = event["plain"].asDict()
    assert isinstance(values.pop("event_hash"), int)
    assert values.pop("source_file").endswith("/cases.json")
    assert values == {
        "event_date": date(2018, 10, 1),
        "event_ts": datetime(2018, 10, 1),  # noqa: DTZ001 -- Spark returns the session's zone
        "user_id": "plain",
        "session_id": 1,
        "item_in_session": 0,
        "page": "NextSong",
        "auth": "Logged In",
        "level": "free",
        "song_seconds": 200.5,
        "registered_ts": datetime(2018, 9, 15, 8, 26, 40),  # noqa: DTZ001
        "gender": "F",
        "location": "NY",
        "os": "Windows",
        "browser": "Firefox",
        "ingest_batch": 3,
    }


def test_event_keeps_milliseconds_when_numbers_are_floats(event: dict[str, Row]) -> None:
    assert event["float numbers"].event_ts.microsecond == 123_000
    assert event["float numbers"].registered_ts.microsecond == 456_000


def test_event_date_is_utc_when_a_millisecond_before_midnight(event: dict[str, Row]) -> None:
    assert event["millisecond before midnight"].event_date == date(2018, 10, 1)


@pytest.mark.parametrize(
    ("case", "user_id"), [("integer userId", "42"), ("spaces around the userId", "spaced")]
)
def test_user_id_is_plain_text_when(case: str, user_id: str, event: dict[str, Row]) -> None:
    assert event[case].user_id == user_id


def test_page_is_kept_when_unknown(event: dict[str, Row]) -> None:
    assert event["unknown page"].page == "A page of tomorrow"


def test_profile_is_null_when_record_has_none(event: dict[str, Row]) -> None:
    bare = event["no profile"].asDict()
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
    ],
)
def test_location_is_the_state_when(case: str, state: str | None, event: dict[str, Row]) -> None:
    assert event[case].location == state


@pytest.fixture(scope="module")
def families(spark: SparkSession) -> dict[str | None, tuple[str | None, str | None]]:
    """User agent -> operating system and browser."""
    agents = [(agent,) for agent in (*_AGENT_CASES, *AGENTS)]
    agent = F.col("agent")
    rows = (
        spark.createDataFrame(agents, "agent string")
        .select(agent, os_of(agent), browser_of(agent))
        .collect()
    )
    return {row[0]: (row[1], row[2]) for row in rows}


@pytest.mark.parametrize("agent", _AGENT_CASES)
def test_agent_gives_os_and_browser_when(
    agent: str | None, families: dict[str | None, tuple[str | None, str | None]]
) -> None:
    assert families[agent] == _AGENT_CASES[agent]


def test_oracle_agrees_when_agents_are_known(
    families: dict[str | None, tuple[str | None, str | None]],
) -> None:
    assert families == {a: (oracles.os_of(a), oracles.browser_of(a)) for a in families}


_VARIANTS: dict[str, bytes] = {
    "plain": b"".join(json.dumps(record(sessionId=s)).encode() + b"\n" for s in (1, 2)),
    "no newline at the end": "\n".join(json.dumps(record(sessionId=s)) for s in (1, 2)).encode(),
    "CRLF": b"".join(json.dumps(record(sessionId=s)).encode() + b"\r\n" for s in (1, 2)),
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


@pytest.fixture(scope="module")
def loaded(
    spark: SparkSession, base: Config, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, list[Row]]:
    """Name of the file's variant -> its events; an empty file is among them."""
    folder = tmp_path_factory.mktemp("variants")
    names = {"empty": b"", **_VARIANTS}
    for index, content in enumerate(names.values()):
        (folder / f"{index}.json").write_bytes(content)
    paths = [folder / f"{index}.json" for index in range(len(names))]
    rows: dict[str, list[Row]] = {name: [] for name in names}
    for row in read_events(spark, paths, base).orderBy("session_id").collect():
        rows[list(names)[int(Path(row.source_file).stem)]].append(row)
    return rows


def test_file_gives_no_event_when_empty(loaded: dict[str, list[Row]]) -> None:
    assert loaded["empty"] == []


@pytest.mark.parametrize("variant", _VARIANTS)
def test_events_and_hashes_are_the_same_when_file_has(
    variant: str, loaded: dict[str, list[Row]]
) -> None:
    ignored = {"source_file"}
    found, expected = (
        [{k: v for k, v in row.asDict().items() if k not in ignored} for row in loaded[name]]
        for name in (variant, "plain")
    )
    assert len(expected) == 2
    assert found == expected


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


def test_hash_differs_when_any_field_differs(
    spark: SparkSession, base: Config, tmp_path: Path
) -> None:
    records = [record(), *_ONE_FIELD_OTHER.values()]
    events = read_events(spark, [write_lines(tmp_path / "one.json", records)], base)
    hashes = collect_dicts(events.select("event_hash"), "event_hash")
    assert len(hashes) == len(records)
