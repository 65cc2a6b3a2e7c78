"""What is known of users beside their events: joined as it was known at each event."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from foreign_logs import ingest_by

from churn_spark.config import load_config
from churn_spark.errors import ConfigError, InputError
from churn_spark.events.block import read_block
from churn_spark.features.ordered_events import order_events
from churn_spark.serving.events.records import read_records
from tests.builders import millis, write_lines

pytestmark = pytest.mark.unit
EVENTS: dict[str, Any] = {
    "time": {"column": "at", "unit": "iso"},
    "user": "who",
    "page": {"column": "what"},
}
REGISTERED = {"registration": {"column": "joined", "unit": "iso"}, "gender": "sex"}
DATED = {
    "since": {"column": "from", "unit": "iso"},
    "level": {"column": "plan", "free": "basic", "paid": "plus"},
    "subscribed_until": {"column": "until", "unit": "iso"},
}
HISTORY = (
    "id,from,plan,until\n"
    "7,2018-10-10,plus,2018-11-09\n"
    "7,2018-10-01,basic,\n"
    "8,2018-10-05,plus,2018-11-04\n"
)


def _read(file: Path, profile: dict[str, Any], records: list[dict[str, Any]]) -> pl.DataFrame:
    """The events by the ingest; the service must have read the same."""
    mapping = EVENTS | {"profile": {"file": str(file), "user": "id", **profile}}
    config = ingest_by(mapping)
    lines = "".join(json.dumps(one) + "\n" for one in records).encode()
    events = read_block(lines, config, 4).events
    asked = read_records(records, config).events
    assert [
        (one.level, one.registered_ts, one.gender, one.subscribed_until_ts) for one in asked
    ] == [
        *events.select(
            "level",
            pl.col("registered_ts").dt.epoch("ms"),
            "gender",
            pl.col("subscribed_until_ts").dt.epoch("ms"),
        ).iter_rows()
    ]
    return events


def _event(user: str | float, at: str, **others: object) -> dict[str, Any]:
    return {"at": at, "who": user, "what": "x", **others}


@pytest.mark.parametrize("kind", ["csv", "csv.gz", "tsv", "json", "parquet", "array.json"])
def test_what_never_changes_is_taken_from_one_row_a_user(kind: str, tmp_path: Path) -> None:
    rows = [
        {"id": "7", "joined": "2018-09-01", "sex": "F"},
        {"id": "9", "joined": None, "sex": "M"},
    ]
    file = tmp_path / f"users.{kind}"
    if kind == "csv":
        pl.DataFrame(rows).write_csv(file)
    elif kind == "csv.gz":
        file.write_bytes(gzip.compress(pl.DataFrame(rows).write_csv().encode("utf-8-sig")))
    elif kind == "tsv":
        pl.DataFrame(rows).write_csv(file, separator="\t")
    elif kind == "parquet":
        typed = pl.col("joined").str.to_date()
        pl.DataFrame(rows).with_columns(typed).write_parquet(file)
    elif kind == "json":
        write_lines(file, rows)
    else:
        file.write_text(json.dumps(rows))
    records = [_event(7, "2018-10-01"), _event(" 9 ", "2018-10-02"), _event("5", "2018-10-03")]
    events = _read(file, REGISTERED, records)
    assert events["gender"].to_list() == ["F", "M", None]
    assert events["registered_ts"].dt.epoch("ms").to_list() == [
        millis("2018-09-01 00:00:00"), None, None,
    ]  # fmt: skip


@pytest.mark.parametrize("kind", ["csv", "json", "parquet"])
def test_an_id_that_became_a_fraction_is_still_the_user(kind: str, tmp_path: Path) -> None:
    """As pandas writes whole numbers once one is missing."""
    file = tmp_path / f"users.{kind}"
    rows = pl.DataFrame({"id": [7.0, None, 10000042.0], "sex": ["F", "M", "F"]})
    write = {"csv": rows.write_csv, "json": rows.write_ndjson, "parquet": rows.write_parquet}
    write[kind](file)
    for told in (7, "7", 7.0, "7.0"):
        records = [_event(told, "2018-10-01"), _event("10000042", "2018-10-02")]
        assert _read(file, {"gender": "sex"}, records)["gender"].to_list() == ["F", "F"]


def test_texts_of_parquet_may_be_bytes_and_ids_decimals(tmp_path: Path) -> None:
    """As Hive and Impala write texts, and Spark an end that never comes."""
    ids = [Decimal(2**53), Decimal(2**53 + 1)]
    never = [datetime(9999, 12, 31, tzinfo=UTC)] * 2
    columns = {
        "id": pa.array(ids, pa.decimal128(38, 0)),
        "sex": pa.array([b"F", b"M"]),
        "from": pa.array([date(2018, 10, 1)] * 2),
        "until": pa.array(never, pa.timestamp("us", "UTC")),
    }
    file = tmp_path / "users.parquet"
    pq.write_table(pa.table(columns), file, use_deprecated_int96_timestamps=True)
    profile = {name: DATED[name] for name in ("since", "subscribed_until")} | {"gender": "sex"}
    events = _read(file, profile, [_event(2**53 + n, "2018-10-02") for n in range(2)])
    assert events["gender"].to_list() == ["F", "M"]
    assert events["subscribed_until_ts"].to_list() == never


def test_names_on_the_first_line_have_no_white_space(tmp_path: Path) -> None:
    file = tmp_path / "users.csv"
    file.write_text("id , sex\n7,F\n")
    assert _read(file, {"gender": "sex"}, [_event(7, "2018-10-01")])["gender"].to_list() == ["F"]


def test_of_a_key_that_stands_twice_the_first_counts(tmp_path: Path) -> None:
    file = tmp_path / "users.json"
    file.write_text('{"id": 7, "sex": "F", "sex": "M"}\n')
    assert _read(file, {"gender": "sex"}, [_event(7, "2018-10-01")])["gender"].to_list() == ["F"]


def test_rows_of_nobody_are_left_out(tmp_path: Path) -> None:
    file = tmp_path / "users.csv"
    file.write_text("id,sex\n,F\n7,F\n,M\nguest,M\n guest ,F\n")
    user = {"column": "id", "anonymous": ["guest"]}
    records = [_event("7", "2018-10-01"), _event("guest", "2018-10-01")]
    events = _read(file, {"user": user, "gender": "sex"}, records)
    assert events["gender"].to_list() == ["F", None]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\n\n"])
def test_a_line_of_json_ends_where_its_object_does(end: str, tmp_path: Path) -> None:
    file = tmp_path / "users.json"
    cities = [f"a{mark}b" for mark in "\u2028\u2029\x85"]
    rows = [{"id": n, "from": "2018-10-01", "city": city} for n, city in enumerate(cities)]
    lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    file.write_bytes("".join(line + end for line in lines).encode())
    profile = {"since": DATED["since"], "location": "city", "gender": "city"}
    records = [_event(n, "2018-10-02") for n in range(3)]
    assert _read(file, profile, records)["gender"].to_list() == cities


def test_an_event_has_the_row_that_held_when_it_happened(tmp_path: Path) -> None:
    file = tmp_path / "plans.csv"
    file.write_text(HISTORY)
    at = ["2018-09-30", "2018-10-01", "2018-10-09T23:59:59", "2018-10-10", "2018-12-01"]
    events = _read(file, DATED, [_event("7", one) for one in at])
    assert events["level"].to_list() == [None, "free", "free", "paid", "paid"]
    until = events["subscribed_until_ts"].dt.date().cast(pl.String).to_list()
    assert until == [None, None, None, "2018-11-09", "2018-11-09"]


def test_rows_of_later_change_no_event_before_them(tmp_path: Path) -> None:
    file, records = tmp_path / "plans.csv", [_event("7", f"2018-10-{day}") for day in (10, 20)]
    file.write_text(HISTORY)
    before = _read(file, DATED, records)
    file.write_text(HISTORY + "7,2018-10-21,basic,\n")
    assert _read(file, DATED, records).equals(before)


def test_an_event_is_another_one_when_its_user_is_known_since_and_the_same_when_both_are_reloaded(
    tmp_path: Path,
) -> None:
    file, profile, records = tmp_path / "users.csv", {"gender": "sex"}, [_event("7", "2018-10-01")]
    file.write_text("id,sex\n8,F\n")
    before = _read(file, profile, records)
    file.write_text("id,sex\n8,F\n7,M\n")
    delivered = [before, _read(file, profile, records)]
    assert order_events(pl.concat(delivered)).height == 2
    reloaded = [_read(file, profile, records), _read(file, profile, records)]
    assert order_events(pl.concat(reloaded)).height == 1


def test_what_an_event_tells_itself_goes_before(tmp_path: Path) -> None:
    file = tmp_path / "users.csv"
    file.write_text("id,sex\n7,F\n")
    config = ingest_by(
        {**EVENTS, "gender": "sex", "profile": {"file": str(file), "user": "id", "gender": "sex"}}
    )
    records = [_event("7", "2018-10-01", sex="M"), _event("7", "2018-10-02")]
    assert [one.gender for one in read_records(records, config).events] == ["M", "F"]


@pytest.mark.parametrize("field", ["level", "location", "subscribed_until"])
def test_what_changes_is_refused_from_rows_of_today(field: str) -> None:
    section = {"level": {"column": "x"}, "location": "x", "subscribed_until": DATED["since"]}[field]
    mapping = EVENTS | {"profile": {"file": "users.csv", "user": "id", field: section}}
    with pytest.raises(ConfigError, match=f"found {field} without since: a row of today would"):
        ingest_by(mapping)


@pytest.mark.parametrize(
    ("content", "profile", "told"),
    [
        (None, REGISTERED, "found no file .*users.csv, expected the users' profile"),
        ("id,joined,sex\n", REGISTERED, "found no row in"),
        (
            "id,sex\n7,F\n8,F\n7,M\n",
            {"gender": "sex"},
            r"two rows in .*csv \(1 and 3\), expected one row each: name",
        ),
        ("no,sex\n7,F\n8,M\n", {"gender": "sex"}, "no user in any row of .*, expected .* in id"),
        ("id,sex\n7\n", {"gender": "sex"}, "row 1 has another number of cells"),
        ("id,from,plan\n7,soon,plus\n", DATED, "row 1 of .* holds from 'soon' on"),
        ("id,from,plan\n7,2018-10-01,a\n7,2018-10-01,b\n", DATED, "one row each for a moment$"),
    ],
)
def test_a_profile_that_says_nothing_certain_is_refused(
    content: str | None, profile: dict[str, Any], told: str, tmp_path: Path
) -> None:
    file = tmp_path / "users.csv"
    if content is not None:
        file.write_text(content)
    with pytest.raises(InputError, match=told):
        _read(file, profile, [_event("7", "2018-10-02")])


def test_the_file_is_looked_for_beside_the_mapping(tmp_path: Path) -> None:
    written = tmp_path / "mapping.yaml"
    written.write_text(
        "time: {column: at, unit: iso}\nuser: who\npage: {column: what}\n"
        "profile: {file: users.csv, user: id, gender: sex}\n"
    )
    mapping = load_config(overrides=[f"ingest.mapping={written}"]).ingest.mapping
    assert mapping is not None
    assert mapping.profile is not None
    assert mapping.profile.file == str(tmp_path / "users.csv")
