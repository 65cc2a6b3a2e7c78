"""Whole logs of another service: by a mapping they give the tables of our own."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import polars as pl
import pytest
from builders import N_BUCKETS, random_records, record, write_lines
from foreign_logs import MAPPING, foreign, ingest_by, write_array, write_csv, write_parquet
from foreign_nights import shown_mapping
from local_lakehouse import LocalLakehouse, open_local, rows_of
from streamed_logs import as_streams, nested

from churn_spark.config import IngestConfig, load_config
from churn_spark.contracts.tables import EVENTS, QUARANTINE, SESSION_DAYS, TRANSITIONS
from churn_spark.errors import InputError
from churn_spark.events.block import read_block
from churn_spark.events.files import ListedFile, Location
from churn_spark.pipeline import ingest, of_events, rollups
from churn_spark.pipeline.extract_rejected import find_lines
from churn_spark.simulate.settings import SimulationSettings
from churn_spark.simulate.world import simulate_log

_DELIVERED: Final = ("source_file", "ingest_batch")
Writer = Callable[[Path, Iterable[Mapping[str, Any]]], object]


def _write_packed_array(path: Path, records: Iterable[Mapping[str, Any]]) -> None:
    path.write_bytes(gzip.compress(json.dumps([*records]).encode()))


def _write_packed_csv(path: Path, records: Iterable[Mapping[str, Any]]) -> None:
    plain = path.with_suffix("")
    write_csv(plain, records, separator="\t")
    path.write_bytes(gzip.compress(b"\xef\xbb\xbf" + plain.read_bytes()))
    plain.unlink()


KINDS: Final[Mapping[str, tuple[str, Writer, Mapping[str, Any]]]] = {
    "lines": ("day.json", write_lines, {}),
    "array": ("day.json", write_array, {"json_files": "array"}),
    "packed array": ("day.json.gz", _write_packed_array, {"json_files": "array"}),
    "cells": ("day.csv", write_csv, {}),
    "packed cells": ("day.tsv.gz", _write_packed_csv, {"csv_files": {"separator": "\t"}}),
    "Parquet": ("day.parquet", write_parquet, {}),
}


@pytest.fixture(autouse=True)
def _list_without_spark(monkeypatch: pytest.MonkeyPatch) -> None:
    def list_files(_: object, path: str, others: object) -> Location:
        files = sorted(one for one in Path(path).rglob("*") if one.is_file())
        return Location([ListedFile(f"file:{f}", f.stat().st_size, 1000) for f in files], [])

    monkeypatch.setattr(ingest, "list_location", list_files)
    monkeypatch.setattr(LocalLakehouse, "spark", None, raising=False)


def _tables(folder: Path, logs: Path, config: IngestConfig) -> dict[str, list[tuple[Any, ...]]]:
    lakehouse = open_local(folder)
    ingest.run(lakehouse, config, str(logs))
    rollups.run(lakehouse, config, of_events.STEPS)
    tables = (EVENTS, SESSION_DAYS, TRANSITIONS)
    found = {spec.name: rows_of(lakehouse, spec) for spec in tables}
    return {
        name: sorted(rows.drop(*_DELIVERED, strict=False).rows(), key=repr)
        for name, rows in found.items()
    }


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight days of a log, in our words."""
    folder = tmp_path_factory.mktemp("simulated")
    simulate_log(SimulationSettings(users=16, days=8, files_a_day=1), folder)
    return folder / "events"


@pytest.mark.parametrize("kind", KINDS)
def test_a_renamed_log_gives_the_tables_of_the_original(
    kind: str, simulated: Path, tmp_path: Path
) -> None:
    name, write, others = KINDS[kind]
    for file in sorted(simulated.rglob("*.json")):
        day = tmp_path / "logs" / file.parent.name
        day.mkdir(parents=True)
        write(day / name, [foreign(json.loads(line)) for line in file.read_bytes().splitlines()])
    original = _tables(tmp_path / "ours", simulated, load_config().ingest)
    renamed = _tables(tmp_path / "theirs", tmp_path / "logs", ingest_by({**MAPPING, **others}))
    assert len(original["events"]) > 300
    assert renamed == original


def test_awkward_records_stay_the_same_events_through_a_mapping() -> None:
    ours = random_records(seed=3)
    data = _lines(ours)
    read = read_block(data, load_config().ingest, N_BUCKETS)
    translated = read_block(_lines(map(foreign, ours)), ingest_by(MAPPING), N_BUCKETS)
    assert translated.events.equals(read.events)
    assert translated.counts["anonymous"] == read.counts["anonymous"] > 0


def test_a_log_may_be_cut_anywhere_into_parts(
    simulated: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = next(simulated.rglob("*.json")).read_bytes().splitlines()[:300]
    (tmp_path / "logs").mkdir()
    write_csv(tmp_path / "logs" / "day.csv", [foreign(json.loads(line)) for line in lines])
    whole = _tables(tmp_path / "whole", tmp_path / "logs", ingest_by(MAPPING))
    monkeypatch.setattr("churn_spark.pipeline.native_feed.PART_BYTES", 1000)
    assert _tables(tmp_path / "parts", tmp_path / "logs", ingest_by(MAPPING)) == whole


BAD: Final = foreign(record(userId="8")) | {"occurred_at": "yesterday, or so", "pad": "é" * 200}


# In Parquet times are typed: no row has a wrong one.
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "Parquet"])
def test_a_rejected_row_is_found_again_at_its_place(kind: str, tmp_path: Path) -> None:
    name, write, others = KINDS[kind]
    (tmp_path / "logs").mkdir()
    good = [foreign(record(itemInSession=n)) | {"pad": "é" * 200} for n in range(5)]
    write(tmp_path / "logs" / name, [*good[:3], BAD, *good[3:]])
    config = ingest_by({**MAPPING, **others})
    lakehouse = open_local(tmp_path / "lakehouse")
    summary = ingest.run(lakehouse, config, str(tmp_path / "logs"))
    assert summary.lines == {"read": 6, "accepted": 5, "wrong type": 1}
    rejected = rows_of(lakehouse, QUARANTINE)
    rows = (SimpleNamespace(**row) for row in rejected.iter_rows(named=True))
    [line] = find_lines(rows, config.max_line_bytes)
    assert b"yesterday, or so" in line


def test_cells_are_refused_where_spark_reads_lines(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    write_csv(tmp_path / "logs" / "day.csv", [foreign(record())])
    with pytest.raises(InputError, match=r"day\.csv, which is no file of JSON lines"):
        ingest.run(
            open_local(tmp_path / "lakehouse"),
            ingest_by(MAPPING, "ingest.reader=spark"),
            str(tmp_path / "logs"),
        )


def test_cells_without_names_take_those_of_the_mapping(tmp_path: Path) -> None:
    mapping = {
        "time": {"column": "day", "unit": "iso", "format": "%Y%m%d"},
        "user": "who",
        "page": {"constant": "Purchase"},
        "csv_files": {"separator": "whitespace", "columns": ["who", "day", "n"]},
    }
    (tmp_path / "logs").mkdir()
    rows = " 00004  20180101 2\r\n 00005 20180102  1\r\nx\r\n"
    (tmp_path / "logs" / "sales.txt").write_text(rows)
    lakehouse = open_local(tmp_path / "lakehouse")
    summary = ingest.run(lakehouse, ingest_by(mapping), str(tmp_path / "logs"))
    assert summary.lines == {"read": 3, "accepted": 2, "broken row": 1}
    events = rows_of(lakehouse, EVENTS).sort("user_id")
    assert events["user_id"].to_list() == ["00004", "00005"]
    assert events["event_date"].dt.to_string("%F").to_list() == ["2018-01-01", "2018-01-02"]


def test_the_profile_is_no_log_where_it_lies_among_them(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "events.csv").write_text("id,date\n7,2018-10-02\n")
    (logs / "users.csv").write_text("id,date,plan\n7,2018-10-01,plus\n8,2018-10-01,plus\n")
    mapping = {
        "time": {"column": "date", "unit": "iso"},
        "user": "id",
        "page": {"constant": "Purchase"},
        "profile": {
            "file": str(logs / "users.csv"),
            "user": "id",
            "since": {"column": "date", "unit": "iso"},
            "level": {"column": "plan", "paid": "plus"},
        },
    }
    lakehouse = open_local(tmp_path / "lakehouse")
    assert ingest.plan(lakehouse, ingest_by(mapping), str(logs)).startswith("1 file new")
    summary = ingest.run(lakehouse, ingest_by(mapping), str(logs))
    assert summary.lines == {"read": 1, "accepted": 1}
    assert rows_of(lakehouse, EVENTS)["level"].to_list() == ["paid"]


def _write_stored(path: Path, messages: Iterable[Mapping[str, Any]]) -> None:
    """As Spark writes them, the instant as one; no message tells all fields."""
    rows = pl.DataFrame(list(messages), infer_schema_length=None)
    moment = pl.from_epoch("ts", time_unit="ms").dt.replace_time_zone("UTC")
    rows.with_columns(moment).write_parquet(path)


@pytest.mark.parametrize("form", ["plain", "nested", "stored"])
def test_page_views_as_eventsim_streams_them_give_the_same_rollups(
    form: str, simulated: Path, tmp_path: Path
) -> None:
    mapping = shown_mapping("page: {column: page}")
    streamed = tmp_path / "page_view_events"
    streamed.mkdir()
    for file in sorted(simulated.rglob("*.json")):
        views = as_streams(map(json.loads, file.read_bytes().splitlines()))["page_view_events"]
        day = streamed / file.parent.name
        if form == "stored":
            mapping["time"] = {"column": "ts", "unit": "iso"}
            _write_stored(day.with_suffix(".parquet"), views)
        else:
            write_lines(day.with_suffix(".json"), map(nested, views) if form == "nested" else views)
    theirs = _tables(tmp_path / "theirs", streamed, ingest_by(mapping))
    original = _tables(tmp_path / "ours", simulated, load_config().ingest)
    for name in ("session_days", "transitions"):
        assert theirs[name] == original[name]
    assert len(theirs["events"]) == len(original["events"])


def _lines(records: Iterable[Mapping[str, Any]]) -> bytes:
    return "\n".join(map(json.dumps, records)).encode()
