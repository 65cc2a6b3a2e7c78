"""Files -> events, exactly once, whatever order, names and accidents."""

from __future__ import annotations

import gzip
import os
import random
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from builders import millis, record, write_lines

from bench import flow
from churn_spark.contracts.tables import EVENTS, FILES, QUARANTINE, SESSION_DAYS
from churn_spark.errors import InputError
from churn_spark.events.summary import IngestSummary
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.pipeline import ingest
from churn_spark.pipeline.context import JobContext
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

    def crash(*_: Any) -> None:
        raise RuntimeError("power cut")

    monkeypatch.setattr(ingest, "build_quarantine", crash)
    with pytest.raises(Exception, match="power cut"):
        flow.ingest_events(context, str(tmp_path / "logs"))
    assert context.lakehouse.read(EVENTS).count() == 5
    assert context.lakehouse.read(QUARANTINE).count() == 0
    monkeypatch.undo()
    summary = flow.ingest_events(context, str(tmp_path / "logs"))
    assert summary.lines == {"read": 6, "accepted": 5, "broken JSON": 1}
    assert context.lakehouse.read(EVENTS).count() == 5
    assert context.lakehouse.read(QUARANTINE).count() == 1


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
    assert "EOFException" in problems["cut.json.gz"]
    # Delivered again, whole and under another name, each event counts once.
    (logs / "again.json.gz").write_bytes(gzip.compress(whole))
    flow.ingest_events(context, str(logs))
    flow.build_session_days(context)
    days = context.lakehouse.read(SESSION_DAYS).filter("user_id = '7'")
    assert days.groupBy().sum("n_songs").collect()[0][0] == 3000


def test_changed_file_is_named_and_not_read_again(context: JobContext, tmp_path: Path) -> None:
    path = write_lines(tmp_path / "logs" / "a.json", songs(2))
    flow.ingest_events(context, str(tmp_path / "logs"))
    write_lines(path, songs(3))
    os.utime(path, (2_000_000_000, 2_000_000_000))
    summary = flow.ingest_events(context, str(tmp_path / "logs"))
    assert [name.rpartition("/")[2] for name in summary.changed] == ["a.json"]
    assert context.lakehouse.read(EVENTS).count() == 2


def test_other_files_in_a_folder_are_left_out_and_said_to_be(
    context: JobContext, tmp_path: Path
) -> None:
    write_lines(tmp_path / "logs" / "a.json", songs(2))
    write_lines(tmp_path / "logs" / "README.md", ["no event"])
    summary = flow.ingest_events(context, str(tmp_path / "logs"))
    assert summary.lines == {"read": 2, "accepted": 2}
    assert "README.md" in summary.warnings()[0]


@pytest.mark.parametrize("location", ["nothing_here", "empty", "*.nothing"])
def test_missing_input_is_an_error_that_names_the_path(
    context: JobContext, tmp_path: Path, location: str
) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"found no event file at .*expected a folder"):
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
        # What is late on the fifth day comes on a sixth, the begin of which ends both logs.
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
    reasons = {row.reason for row in dirty.lakehouse.read(QUARANTINE).collect()}
    assert reasons == {"broken JSON"}


def _files(context: JobContext) -> list[Any]:
    return list(context.lakehouse.read(FILES).collect())
