"""Files -> events, exactly once, whatever order, names and accidents."""

from __future__ import annotations

import gzip
import json
import os
import random
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from builders import millis, record, write_lines
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from bench import flow
from churn_spark.config import load_config
from churn_spark.contracts.tables import EVENTS, FILES, QUARANTINE, SESSION_DAYS, TableSpec
from churn_spark.errors import InputError, OldTableError, UnreadFilesError
from churn_spark.events.files import list_location
from churn_spark.events.foreign.kinds import ENDINGS
from churn_spark.events.readings import Reload
from churn_spark.events.summary import IngestSummary
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.pipeline import extract_rejected, ingest, ingest_batch, native_feed
from churn_spark.pipeline.context import JobContext
from churn_spark.pipeline.dates import read_log_dates
from churn_spark.simulate.settings import Period, SimulationSettings
from churn_spark.simulate.world import continue_log, simulate_log


def events_of(context: JobContext) -> list[tuple[Any, ...]]:
    """All events without the marks of their delivery, sorted."""
    kept = [name for name in EVENTS.column_names if name not in ("source_file", "ingest_batch")]
    rows = context.lakehouse.read(EVENTS).select(*kept).collect()
    return sorted((tuple(row) for row in rows), key=repr)


def session_days_of(context: JobContext) -> list[tuple[Any, ...]]:
    return sorted((tuple(r) for r in context.lakehouse.read(SESSION_DAYS).collect()), key=repr)


def in_lakehouse(context: JobContext, folder: Path) -> JobContext:
    return JobContext(context.config, Lakehouse(context.spark, str(folder)))


def songs(n: int, **overrides: Any) -> list[dict[str, Any]]:
    start = millis("2018-10-03 12:00:00")
    return [record(ts=start + 200_000 * i, itemInSession=i, **overrides) for i in range(n)]


def test_rerun_loads_nothing_twice_and_new_files_are_added(
    context: JobContext, tmp_path: Path
) -> None:
    logs = tmp_path / "logs"
    write_lines(logs / "a.json", songs(5))
    assert flow.ingest_events(context, str(logs)).lines["accepted"] == 5
    assert flow.ingest_events(context, str(logs)).describe() == "no new file"
    write_lines(logs / "deep" / "b.json", [*songs(3, userId="8"), "{broken"])
    summary = flow.ingest_events(context, str(logs))
    assert summary.lines == {"read": 4, "accepted": 3, "broken JSON": 1}
    assert context.lakehouse.read(EVENTS).count() == 8
    assert context.lakehouse.read(QUARANTINE).collect()[0].reason == "broken JSON"


def test_same_file_counts_once_when_given_as_folder_file_and_glob(
    context: JobContext, tmp_path: Path
) -> None:
    write_lines(tmp_path / "logs" / "a [1] {x}.json", songs(4))
    for location in ("logs", "logs/a [1] {x}.json", "logs/*.json"):
        flow.ingest_events(context, str(tmp_path / location))
    assert context.lakehouse.read(EVENTS).count() == 4
    assert context.lakehouse.read(FILES).count() == 1


def test_run_goes_on_where_it_was_interrupted_between_two_tables(
    context: JobContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_lines(tmp_path / "logs" / "a.json", [*songs(5), "{broken"])

    cut_power(monkeypatch, before=QUARANTINE)
    with pytest.raises(Exception, match="power cut"):
        flow.ingest_events(context, str(tmp_path / "logs"))
    assert context.lakehouse.read(EVENTS).count() == 5
    assert context.lakehouse.read(QUARANTINE).count() == 0
    monkeypatch.undo()
    # Decided on is what was there then: what comes later is another batch.
    (tmp_path / "logs" / "a.json").unlink()
    write_lines(tmp_path / "logs" / "b.json", ["{broken too"])
    summary = flow.ingest_events(context, str(tmp_path / "logs"))
    assert summary.lines == {"read": 7, "accepted": 5, "broken JSON": 2}
    assert context.lakehouse.read(EVENTS).count() == 5
    rows = context.lakehouse.read(QUARANTINE).collect()
    assert sorted(row.line_bytes for row in rows) == [len("{broken"), len("{broken too")]
    assert sorted(row.ingest_batch for row in _files(context)) == [0, 1]
    assert flow.ingest_events(context, str(tmp_path / "logs")).describe() == "no new file"


def test_truncated_gzip_is_named_and_the_rest_is_loaded(
    context: JobContext, tmp_path: Path
) -> None:
    logs = tmp_path / "logs"
    whole = write_lines(tmp_path / "whole.json", songs(3000)).read_bytes()
    logs.mkdir()
    (logs / "cut.json.gz").write_bytes(gzip.compress(whole)[:-2000])
    (logs / "no_gzip.json.gz").write_bytes(b"not compressed at all")
    write_lines(logs / "good.json", songs(7, userId="8"))
    summary = flow.ingest_events(context, str(logs))
    warnings = "\n".join(summary.warnings())
    assert "cut.json.gz can't be read to its end" in warnings
    assert "no_gzip.json.gz can't be read to its end" in warnings
    assert "under a new name" in warnings
    by_user = dict(context.lakehouse.read(EVENTS).groupBy("user_id").count().collect())
    assert by_user["8"] == 7
    assert 0 < by_user["7"] < 3000
    problems = {r.source_file.rpartition("/")[2]: r.problem for r in _files(context)}
    assert problems["good.json"] is None
    assert "truncated" in problems["cut.json.gz"]
    # Delivered again, whole and under another name, each event counts once.
    (logs / "again.json.gz").write_bytes(gzip.compress(whole))
    flow.ingest_events(context, str(logs))
    flow.build_session_days(context)
    days = context.lakehouse.read(SESSION_DAYS).filter("user_id = '7'")
    assert days.groupBy().sum("n_songs").collect()[0][0] == 3000


@pytest.mark.parametrize(("reader", "how"), [("native", "read on"), ("spark", "in place of")])
def test_silver_follows_a_file_that_grows_and_one_that_is_reloaded(
    context: JobContext, tmp_path: Path, reader: str, how: str
) -> None:
    config = load_config(overrides=[f"ingest.reader={reader}"])
    there = JobContext(config, context.lakehouse)

    def load(reload: Reload | None = None) -> IngestSummary:
        logs = str(tmp_path / "logs")
        summary = ingest.run(there.lakehouse, config.ingest, logs, reload)
        flow.build_session_days(there)
        return summary

    days = {"2018-10-03": 2, "2018-10-05": 1}
    lines = [record(ts=millis(day), itemInSession=n) for day in days for n in range(days[day])]
    path = write_lines(tmp_path / "logs" / "a.json", lines[:1])
    write_lines(tmp_path / "logs" / "b.json", [record(ts=millis("2018-10-09"), userId="8")])
    load()
    write_lines(path, lines)
    assert how in load().describe()
    assert n_songs_by_date(there) == {**days, "2018-10-09": 1}
    write_lines(path, lines[1:])
    assert [name.rpartition("/")[2] for name in load().changed] == ["a.json"]
    assert n_songs_by_date(there) == {**days, "2018-10-09": 1}
    write_lines(path, lines[1:2])
    load("changed")
    assert n_songs_by_date(there) == {"2018-10-03": 1, "2018-10-09": 1}
    assert load().describe() == "no new file"


def n_songs_by_date(context: JobContext) -> dict[str, int]:
    rows = context.lakehouse.read(SESSION_DAYS).groupBy("event_date").sum("n_songs").collect()
    return {str(day): n for day, n in rows}


def test_other_files_in_a_folder_are_left_out_and_said_to_be(
    context: JobContext, tmp_path: Path
) -> None:
    write_lines(tmp_path / "logs" / "a.json", songs(2))
    write_lines(tmp_path / "logs" / "README.md", ["no event"])
    summary = flow.ingest_events(context, str(tmp_path / "logs"))
    assert summary.lines == {"read": 2, "accepted": 2}
    assert "README.md" in summary.warnings()[0]


@pytest.mark.parametrize("place", [b"caf\xe9.json", b"caf\xe9/a.json"])
def test_name_that_no_java_reads_is_refused(
    context: JobContext, tmp_path: Path, place: bytes
) -> None:
    write_lines(tmp_path / "logs" / "a.json", songs(2))
    odd = tmp_path / "logs" / os.fsdecode(place)
    odd.parent.mkdir(exist_ok=True)
    shutil.copy(tmp_path / "logs" / "a.json", odd)
    with pytest.raises(InputError, match=r"found '.*/caf.*', whose name is no UTF-8.*rename it"):
        flow.ingest_events(context, str(tmp_path / "logs"))
    assert not context.lakehouse.exists(EVENTS)


@pytest.mark.parametrize(
    ("place", "location"),
    [
        (b"caf\xe9.csv", "logs"),
        (b"caf\xe9.json", "logs/*.json"),
        (b"caf\xe9.json", "log[^x]/{b,c}*"),
        (b"caf\xe9/a.parquet", "logs/*/a.*"),
        (b"caf\xe9/a.txt", "logs/*"),
    ],
)
def test_name_that_no_java_reads_is_refused_however_it_is_meant(
    spark: SparkSession, tmp_path: Path, place: bytes, location: str
) -> None:
    write_lines(tmp_path / "logs" / "b.json", [record()])
    write_lines(tmp_path / "logs" / os.fsdecode(place), [record()])
    with pytest.raises(InputError, match=r"found '.*/caf.*', whose name is no UTF-8.*rename it"):
        list_location(spark, str(tmp_path / location), ENDINGS)


def test_name_that_no_java_reads_is_no_matter_beside_what_a_glob_means(
    spark: SparkSession, tmp_path: Path
) -> None:
    for name in (b"a.json", b"caf\xe9.json", b"{caf\xe9.json"):
        write_lines(tmp_path / os.fsdecode(name), [record()])
    [file] = list_location(spark, str(tmp_path / "{a,b}*")).files
    assert file.path == f"file:{tmp_path}/a.json"


def test_files_of_the_lakehouse_are_no_logs_where_it_lies_among_them(
    context: JobContext, tmp_path: Path
) -> None:
    write_lines(tmp_path / "a.json", songs(2))
    lakehouse = Path(context.lakehouse.root)
    assert lakehouse.parent == tmp_path
    write_lines(lakehouse / "champion" / "champion.json", ["a model"])
    write_lines(tmp_path / f"{lakehouse.name}-logs" / "b.json", [record(userId="beside")])
    assert flow.ingest_events(context, str(tmp_path)).lines == {"read": 3, "accepted": 3}


@pytest.mark.parametrize("location", ["logs", "logs/*"])
def test_what_lies_in_hidden_folders_is_not_read(
    context: JobContext, tmp_path: Path, location: str
) -> None:
    logs = tmp_path / "_mine" / "logs"
    hidden = ("_staging/a.json", ".trash/a.json", "day/_temporary/0/a.json", "_a.json", ".a.json")
    for n, name in enumerate((*hidden, "day/a.json", "_day=1/a.json")):
        write_lines(logs / name, [record(userId=str(n))])
    write_lines(logs / "lake" / "_delta_log" / "0.json", ["a commit"])
    summary = flow.ingest_events(context, str(logs.parent / location))
    assert summary.lines == {"read": 2, "accepted": 2}
    assert {row.user_id for row in context.lakehouse.collect_rows(EVENTS)} == {"5", "6"}


@pytest.mark.parametrize(
    ("location", "read", "left_out"),
    [
        ("logs/20*", {"a.json", "b.jsonl.gz"}, ["manifest.txt"]),
        ("logs/2018", {"b.jsonl.gz"}, ["manifest.txt"]),
        ("logs/2018/*", {"b.jsonl.gz", "manifest.txt"}, []),
    ],
)
def test_files_in_folders_are_chosen_by_their_endings_and_named_ones_are_not(
    spark: SparkSession, tmp_path: Path, location: str, read: set[str], left_out: list[str]
) -> None:
    for name in ("2017/a.json", "2018/b.jsonl.gz", "2018/manifest.txt"):
        write_lines(tmp_path / "logs" / name, [record()])
    found = list_location(spark, str(tmp_path / location))
    assert {Path(file.path).name for file in found.files} == read
    assert [Path(path).name for path in found.ignored] == left_out


@pytest.mark.parametrize(
    "location",
    ["logs/2018-11-30T10:00.json", "logs", "2018-11-30T10:00", "2018-11-30T10:00/a.json"],
)
def test_file_is_listed_when_a_colon_is_in_its_path(
    spark: SparkSession, tmp_path: Path, location: str
) -> None:
    for name in ("logs/2018-11-30T10:00.json", "2018-11-30T10:00/a.json"):
        write_lines(tmp_path / name, [record()])
    [file] = list_location(spark, str(tmp_path / location)).files
    assert file.path.startswith(f"file:{tmp_path / location}")


@pytest.mark.parametrize("location", ["10:00.json", "{}/10:0*"])
def test_name_with_a_colon_is_refused_when_it_is_relative_or_a_glob(
    spark: SparkSession, tmp_path: Path, location: str
) -> None:
    write_lines(tmp_path / "10:00.json", [record()])
    with pytest.raises(InputError, match=r"a name with a colon only where .* absolute path"):
        list_location(spark, location.format(tmp_path))


@pytest.mark.parametrize("location", ["nothing_here", "empty", "*.nothing"])
def test_missing_input_is_an_error_that_names_the_path(
    context: JobContext, tmp_path: Path, location: str
) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"found no event file at .*folder .*\.ndjson, each also"):
        flow.ingest_events(context, str(tmp_path / location))


@pytest.mark.slow
def test_daily_files_give_the_same_tables_in_one_go_and_one_by_one_shuffled(
    context: JobContext, tmp_path: Path, sample_data: Path
) -> None:
    at_once = in_lakehouse(context, tmp_path / "at_once")
    summary = flow.ingest_events(at_once, str(sample_data / "log_data"))
    assert summary.lines["read"] == 8056
    flow.build_session_days(at_once)

    shuffled = in_lakehouse(context, tmp_path / "shuffled")
    files = sorted((sample_data / "log_data").glob("*.json"))
    random.Random(5).shuffle(files)
    for part in (files[:1], files[1:4], files[4:]):
        for file in part:
            (tmp_path / "inbox").mkdir(exist_ok=True)
            shutil.copy(file, tmp_path / "inbox")
        flow.ingest_events(shuffled, str(tmp_path / "inbox"))
        flow.build_session_days(shuffled)
    assert events_of(shuffled) == events_of(at_once)
    assert session_days_of(shuffled) == session_days_of(at_once)

    # The same content under other names: more events, the same session days.
    shutil.copy(files[0], tmp_path / "inbox" / "once_more.json")
    again: IngestSummary = flow.ingest_events(shuffled, str(tmp_path / "inbox"))
    assert again.lines["accepted"] > 0
    flow.build_session_days(shuffled)
    assert session_days_of(shuffled) == session_days_of(at_once)


def test_dirty_lines_change_no_table_but_the_quarantine(
    context: JobContext, tmp_path: Path
) -> None:
    settings = SimulationSettings(users=12, days=5, seed=4, growth=0.0)
    for name, dirty_share in (("clean", 0.0), ("dirty", 0.09)):
        out = tmp_path / name
        simulate_log(replace(settings, dirty_share=dirty_share), out)
        # What is late on the fifth day comes on a sixth, the start of which ends both logs.
        continue_log(out, Period(settings.period.end, 1))
        for extra in (out / "events" / settings.period.end.isoformat()).glob("events-0[123]*"):
            extra.unlink()
    clean, dirty = (in_lakehouse(context, tmp_path / f"tables of {n}") for n in ("clean", "dirty"))
    for name, where in (("clean", clean), ("dirty", dirty)):
        flow.ingest_events(where, str(tmp_path / name / "events"))
        flow.build_session_days(where)
    date_at = SESSION_DAYS.column_names.index("event_date")
    first_days, with_dirt = (
        [row for row in session_days_of(where) if row[date_at] < settings.period.end]
        for where in (clean, dirty)
    )
    assert with_dirt == first_days
    assert len(first_days) > 20
    assert clean.lakehouse.read(QUARANTINE).count() == 0
    unwritten = tmp_path / "rejected.json"
    assert extract_rejected.run(clean.lakehouse, unwritten, None, 1, 65_536) == 0
    assert not unwritten.exists()
    reasons = {row.reason for row in dirty.lakehouse.read(QUARANTINE).collect()}
    assert reasons == {"broken JSON"}


def test_both_feeds_give_the_same_tables(
    context: JobContext,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    # Parts of some lines, so that Spark reads files in many.
    context.spark.conf.set("spark.sql.files.maxPartitionBytes", 5_000)
    monkeypatch.setattr(native_feed, "PART_BYTES", 5_000)
    logs = tmp_path / "lögs + 1%"
    odd = record(userId="9", song="é{", artist=None)
    write_lines(logs / "a b#.json", [*songs(40), b"\xff", "{broken", odd])
    write_lines(logs / "deep" / "b.json", [f"  {line}  \r" for line in ("{}", "[1]", "")])
    packed = gzip.compress(write_lines(tmp_path / "c", songs(300, userId=8.0)).read_bytes())
    (logs / "c.json.gz").write_bytes(packed)
    marked = (
        b"\xef\xbb\xbf"
        + write_lines(
            tmp_path / "d",
            [
                line
                for song in songs(60, userId="é")
                for line in (f"{json.dumps(song)}\r", "{Broken }\r", f"\ufeff{song}")
            ],
        ).read_bytes()
    )
    (logs / "d.json").write_bytes(marked)
    (logs / "e.json.gz").write_bytes(gzip.compress(marked))
    whole = write_lines(tmp_path / "whole", songs(3000, userId="cut")).read_bytes()
    (logs / "cut.json.gz").write_bytes(gzip.compress(whole)[:-2000])
    summaries, loaded = {}, {}
    for reader in ("native", "spark"):
        config = load_config(overrides=[f"ingest.reader={reader}"])
        loaded[reader] = in_lakehouse(JobContext(config, context.lakehouse), tmp_path / reader)
        summaries[reader] = flow.ingest_events(loaded[reader], str(logs))
    context.spark.conf.unset("spark.sql.files.maxPartitionBytes")
    whole_files = F.col("source_file").contains("cut.json.gz") == F.lit(False)
    for spec in (EVENTS, QUARANTINE, FILES):
        one, other = (
            context_.lakehouse.read(spec).filter(whole_files) for context_ in loaded.values()
        )
        assert one.schema == other.schema
        assert one.count() == other.count() > 0
        assert one.exceptAll(other).isEmpty()
    for row in loaded["spark"].lakehouse.read(QUARANTINE).collect():
        path = Path(row.source_file.removeprefix("file:"))
        if path.name[0] in "de":
            raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
            line = raw[row.byte_offset : row.byte_offset + row.line_bytes]
            assert line.startswith((b"{Broken }", b"\xef\xbb\xbf{'ts'"))
    out, by_spark = tmp_path / "rejected.json", loaded["spark"].lakehouse
    n_lines = extract_rejected.run(by_spark, out, "broken JSON", 1000, 65_536)
    assert n_lines == by_spark.read(QUARANTINE).filter("reason = 'broken JSON'").count() > 200
    lines = out.read_bytes().splitlines()
    assert len(lines) == n_lines
    assert {b"{broken", b"[1]", b"{Broken }"} <= {line.strip() for line in lines}
    assert "left out" not in capsys.readouterr().out
    assert extract_rejected.run(by_spark, tmp_path / "few.json", "broken JSON", 3, 65_536) == 3
    assert f"{n_lines - 3} more lines left out: raise --limit" in capsys.readouterr().out
    with pytest.raises(InputError, match=r"expected a file that isn't there yet"):
        extract_rejected.run(by_spark, out, None, 1, 65_536)
    with pytest.raises(InputError, match=r"were rejected for: broken JSON, invalid UTF-8, mis"):
        extract_rejected.run(by_spark, tmp_path / "no.json", "ts", 1, 65_536)
    for context_, summary in zip(loaded.values(), summaries.values(), strict=True):
        assert "cut.json.gz" in summary.warnings()[0]
        names = {row.source_file for row in context_.lakehouse.read(EVENTS).collect()}
        assert names < {row.source_file for row in _files(context_)}


def test_file_that_its_storage_does_not_give_is_left_by_spark_for_the_next_run(
    context: JobContext, tmp_path: Path
) -> None:
    config = load_config(overrides=["ingest.reader=spark"])
    by_spark = JobContext(config, context.lakehouse)
    logs = tmp_path / "logs"
    whole = write_lines(tmp_path / "whole", songs(3000, userId="cut")).read_bytes()
    write_lines(logs / "a.json", songs(2, userId="a"))
    write_lines(logs / "b.json", songs(3, userId="b"))
    (logs / "c.json.gz").write_bytes(
        gzip.compress(write_lines(tmp_path / "c", songs(4)).read_bytes())
    )
    (logs / "cut.json.gz").write_bytes(gzip.compress(whole)[:-2000])
    # Hadoop reads no local file whose check sum is another one: as where a block is missing.
    refused = ("b.json", "c.json.gz")
    for name in refused:
        (logs / f".{name}.crc").write_bytes(b"crc\0" + bytes([0, 0, 2, 0]) + b"none")
    summary = flow.ingest_events(by_spark, str(logs))
    assert {path.rpartition("/")[2] for path in summary.unread} == {*refused}
    assert all("ChecksumException" in reason for reason in summary.unread.values())
    with pytest.raises(UnreadFilesError, match="found 2 listed files that could not be opened"):
        summary.require_all_read()
    [warning] = summary.warnings()
    assert "cut.json.gz can't be read to its end" in warning
    n_events = dict(context.lakehouse.read(EVENTS).groupBy("user_id").count().collect())
    assert n_events["a"] == 2
    assert 0 < n_events.pop("cut") < 3000
    assert n_events.keys() == {"a"}
    for name in refused:
        (logs / f".{name}.crc").unlink()
    summary = flow.ingest_events(by_spark, str(logs))
    assert summary.lines == {"read": 7, "accepted": 7}
    assert not summary.unread


def test_spark_feed_goes_on_where_it_was_interrupted(
    context: JobContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = load_config(overrides=["ingest.reader=spark"])
    by_spark = JobContext(config, context.lakehouse)
    write_lines(tmp_path / "logs" / "a.json", [*songs(5), "{broken"])
    append = Lakehouse.append

    def append_or_crash(self: Lakehouse, rows: Any, spec: TableSpec, once: Any) -> bool:
        if spec is QUARANTINE:
            raise RuntimeError("power cut")
        return append(self, rows, spec, once)

    monkeypatch.setattr(Lakehouse, "append", append_or_crash)
    with pytest.raises(RuntimeError, match="power cut"):
        flow.ingest_events(by_spark, str(tmp_path / "logs"))
    assert context.lakehouse.read(EVENTS).count() == 5
    monkeypatch.undo()
    write_lines(tmp_path / "logs" / "b.json", songs(2, userId="8"))
    summary = flow.ingest_events(by_spark, str(tmp_path / "logs"))
    assert summary.lines == {"read": 8, "accepted": 7, "broken JSON": 1}
    assert context.lakehouse.read(EVENTS).count() == 7
    assert context.lakehouse.read(QUARANTINE).count() == 1


def test_tasks_of_spark_and_the_driver_load_the_same(
    context: JobContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Parts of some lines, so that there are many.
    monkeypatch.setattr(native_feed, "PART_BYTES", 5_000)
    for number in range(3):
        lines = [*songs(60, userId=str(number)), "{broken"]
        write_lines(tmp_path / "logs" / f"{number}.json", lines)
    loaded = []
    for name, n_bytes in (("driver", 1 << 30), ("tasks", 0)):
        config = load_config(overrides=[f"ingest.max_driver_bytes={n_bytes}"])
        loaded.append(in_lakehouse(JobContext(config, context.lakehouse), tmp_path / name))
        summary = flow.ingest_events(loaded[-1], str(tmp_path / "logs"))
        assert summary.lines == {"read": 183, "accepted": 180, "broken JSON": 3}
    for spec in (EVENTS, QUARANTINE, FILES):
        one, other = (context_.lakehouse.read(spec) for context_ in loaded)
        assert one.exceptAll(other).isEmpty()
        assert one.count() == other.count()


def test_error_leads_to_the_cause_when_no_event_is_accepted(
    context: JobContext, tmp_path: Path
) -> None:
    nobody, log = in_lakehouse(context, tmp_path / "nobody"), tmp_path / "logs" / "a.json"
    write_lines(log, songs(3, userId=""))
    load_and_roll_up(nobody, tmp_path / "logs")
    with pytest.raises(InputError, match=r"found no event .* records with a userId"):
        read_log_dates(nobody.lakehouse)
    lowered = [{name.lower(): value for name, value in song.items()} for song in songs(50)]
    write_lines(log, lowered)
    load_and_roll_up(context, tmp_path / "logs")
    with pytest.raises(InputError, match=r"50 rejected .* misspelt key .*userid for userId text"):
        read_log_dates(context.lakehouse)
    # Delivered again as it should have been.
    write_lines(tmp_path / "logs" / "b.json", songs(50))
    load_and_roll_up(context, tmp_path / "logs")
    span = read_log_dates(context.lakehouse).span
    assert span.end > span.start


def load_and_roll_up(context: JobContext, logs: Path) -> None:
    """What a night does before it looks for the dates of the log."""
    flow.ingest_events(context, str(logs))
    flow.build_session_days(context)
    flow.build_transitions(context)


def test_buckets_are_those_of_sparks_crc32_and_stay(context: JobContext, tmp_path: Path) -> None:
    write_lines(tmp_path / "logs" / "a.json", [record(userId=f"Bjö {n}") for n in range(50)])
    flow.ingest_events(context, str(tmp_path / "logs"))
    fewer = load_config(overrides=["ingest.buckets=3"])
    write_lines(tmp_path / "logs" / "b.json", [record(userId=f"Bjö {n}") for n in range(50)])
    flow.ingest_events(JobContext(fewer, context.lakehouse), str(tmp_path / "logs"))
    events = context.lakehouse.read(EVENTS)
    assert events.count() == 100
    assert events.filter("bucket != crc32(cast(user_id as binary)) % 16").isEmpty()
    assert events.select("bucket").distinct().count() > 8


def test_events_of_an_older_release_are_refused(context: JobContext, tmp_path: Path) -> None:
    write_lines(tmp_path / "logs" / "a.json", songs(2))
    columns = tuple(one for one in EVENTS.columns if one.name != "bucket")
    context.lakehouse.create(replace(EVENTS, columns=columns, partition_by=()))
    with pytest.raises(OldTableError, match=r"found bronze/events .* load .* new lakehouse"):
        flow.ingest_events(context, str(tmp_path / "logs"))
    assert OldTableError.exit_code == 2


def test_files_that_were_read_by_a_stream_are_not_read_again(
    context: JobContext, tmp_path: Path
) -> None:
    path = write_lines(tmp_path / "logs" / "a.json", songs(2))
    flow.ingest_events(context, str(tmp_path / "logs"))
    # A stream left its own folder there, and nothing else.
    context.lakehouse.files.write("_checkpoints/ingest_events/offsets/0", b"v1")
    write_lines(path.with_name("b.json"), songs(3, userId="8"))
    assert flow.ingest_events(context, str(tmp_path / "logs")).lines["read"] == 3
    assert sorted(row.ingest_batch for row in _files(context)) == [0, 1]


def test_empty_file_is_read_when_it_has_lines(context: JobContext, tmp_path: Path) -> None:
    path = tmp_path / "logs" / "a.json"
    write_lines(path, [])
    assert flow.ingest_events(context, str(tmp_path / "logs")).describe() == "no new file"
    write_lines(path, songs(2))
    assert flow.ingest_events(context, str(tmp_path / "logs")).lines["accepted"] == 2


def test_batches_are_numbered_on_when_the_table_of_files_is_made_anew(
    context: JobContext, tmp_path: Path
) -> None:
    write_lines(tmp_path / "logs" / "a.json", songs(2))
    flow.ingest_events(context, str(tmp_path / "logs"))
    shutil.rmtree(context.lakehouse.path(FILES))
    summary = flow.ingest_events(context, str(tmp_path / "logs"))
    assert summary.lines["accepted"] == 2
    # What the events have of the files is of unknown age, so these come in its place.
    rows = context.lakehouse.read(EVENTS).collect()
    assert [row.ingest_batch for row in rows] == [1, 1]


def cut_power(monkeypatch: pytest.MonkeyPatch, before: TableSpec) -> None:
    """Let a run end right before its commit to a table."""
    append = ingest_batch.append_files

    def append_or_crash(files: Any, table: str, *rest: Any) -> bool:
        if table.endswith(before.path):
            raise RuntimeError("power cut")
        return append(files, table, *rest)

    monkeypatch.setattr(ingest_batch, "append_files", append_or_crash)


def _files(context: JobContext) -> list[Any]:
    return list(context.lakehouse.read(FILES).collect())
