"""Maintenance: the same rows from fewer files; what is named or still to be read stays."""

from __future__ import annotations

import json
import os
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import polars as pl
import pytest
from deltalake import DeltaTable

from churn_spark.config import MaintenanceConfig, load_config
from churn_spark.contracts.tables import (
    DATA_CHECKS,
    DECISIONS,
    EVENTS,
    RUNS,
    SESSION_DAYS,
    TRANSITIONS,
    TableSpec,
)
from churn_spark.lakehouse.commits import Once, append_files
from churn_spark.lakehouse.data_files import write_data_files
from churn_spark.lakehouse.polars_schema import polars_schema_of
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.lakehouse.touched_dates import find_touched_dates
from churn_spark.models.registry import ModelRegistry
from churn_spark.monitoring.data_quality.checks import CheckResult
from churn_spark.pipeline import ingest_batch, maintain
from churn_spark.pipeline.ingest_batch import PendingBatch
from churn_spark.stores.checks import write_checks
from churn_spark.stores.runs import Run, write_run
from tests.local_lakehouse import open_local, rows_of

MONDAY = date(2018, 10, 1)
CONFIG = load_config().maintenance.model_copy(update={"min_small_files": 4, "keep_days": 7})
TUNING = load_config().tuning
A_YEAR_S = 400 * 86_400


class NoRuns:
    """Runs of an experiment to which nothing was logged but trainings."""

    def find_left(self, _: str) -> list[Any]:
        return []

    def forget(self, runs: list[Any]) -> None:
        assert not runs


class Registry:
    """What maintenance asks of a registry: the tags of trainings, and which it forgets."""

    def __init__(self, *tags: dict[str, str]) -> None:
        self.tags, self.needed, self.first = tags, set[str](), MONDAY

    def trainings(self) -> Registry:
        return self

    def logged_runs(self) -> NoRuns:
        return NoRuns()

    def read(self, first: date | None) -> list[dict[str, str]]:
        return [one for one in self.tags if first is None or one["as_of"] >= str(first)]

    def forget(self, first: date, needed: set[str]) -> list[str]:
        self.first, self.needed = first, needed
        return []


def registry(*tags: dict[str, str]) -> ModelRegistry:
    return cast(ModelRegistry, Registry(*tags))


@pytest.fixture
def lakehouse(tmp_path: Path) -> Lakehouse:
    """A lakehouse with events of six days in two buckets, a batch and a file a day and bucket."""
    found = open_local(tmp_path)
    found.create(EVENTS)
    for n in range(6):
        add_events(found, n)
    return found


def add_events(lakehouse: Lakehouse, n: int) -> None:
    """Those of one day: two users at half a second past ten, in a batch of its own."""
    day = MONDAY + timedelta(days=n)
    at = datetime(day.year, day.month, day.day, 10, 0, 0, 500_000, UTC)
    told = {"event_date": day, "event_ts": at, "page": "Home", "level": "free", "ingest_batch": n}
    rows = [
        dict.fromkeys(EVENTS.column_names) | told | {"user_id": user, "bucket": bucket}
        for bucket, user in enumerate(("a", "b"))
    ]
    frame = pl.DataFrame(rows, schema=polars_schema_of(EVENTS))
    files = write_data_files(frame, EVENTS, lakehouse.uri(EVENTS), {})
    append_files(files, lakehouse.uri(EVENTS), {}, Once("ingest_events/events", n))


def n_files(lakehouse: Lakehouse, version: int | None = None) -> int:
    return len(DeltaTable(lakehouse.uri(EVENTS), version).file_uris())


def age(lakehouse: Lakehouse, seconds: float = A_YEAR_S, after: int = -1) -> None:
    """Make all files older, and what commits after a version say of when files went."""
    for path in Path(lakehouse.root).rglob("*"):
        if path.is_file():
            is_commit = path.suffix == ".json" and path.parent.name == "_delta_log"
            if is_commit and int(path.stem) > after:
                lines = [json.loads(line) for line in path.read_text().splitlines()]
                for line in lines:
                    for stamp in ("deletionTimestamp", "timestamp"):
                        for action in line.values():
                            if stamp in action:
                                action[stamp] -= int(seconds * 1000)
                path.write_text("\n".join(map(json.dumps, lines)))
            os.utime(path, (time.time() - seconds,) * 2)


def test_small_files_are_joined_and_the_rows_stay(lakehouse: Lakehouse) -> None:
    before = rows_of(lakehouse, EVENTS).sort("user_id", "event_date")
    maintain.run(lakehouse, registry(), CONFIG, TUNING)
    after = rows_of(lakehouse, EVENTS).sort("user_id", "event_date")
    assert after.equals(before)
    assert n_files(lakehouse) == 2
    late = {"event_date": [MONDAY + timedelta(days=5)]}
    assert lakehouse.count_rows(EVENTS, late) == 2


@pytest.mark.parametrize("spec", [SESSION_DAYS, TRANSITIONS])
def test_files_that_notes_name_are_not_joined(lakehouse: Lakehouse, spec: TableSpec) -> None:
    lakehouse.create(spec)
    for n in range(6):
        row = dict.fromkeys(spec.column_names) | {"event_date": MONDAY, "user_id": str(n)}
        frame = pl.DataFrame([row], schema=polars_schema_of(spec))
        files = write_data_files(frame, spec, lakehouse.uri(spec), {})
        append_files(files, lakehouse.uri(spec), {}, Once("rollups", n))
    before = lakehouse.data_files(spec, "event_date")
    maintain.run(lakehouse, registry(), CONFIG, TUNING)
    assert lakehouse.data_files(spec, "event_date") == before
    assert len(before) == 6


def test_plan_counts_the_small_files_that_are_joined(lakehouse: Lakehouse) -> None:
    before = n_files(lakehouse)
    many = "small files to be joined: 12 in bronze/events; "
    assert maintain.plan(lakehouse, CONFIG).startswith(f"not done so far; {many}")
    maintain.run_if_due(lakehouse, registry(), CONFIG, TUNING, MONDAY)
    due = MONDAY + timedelta(days=CONFIG.every_days)
    done = f"last done as of {MONDAY}; the first night from {due} on does it; "
    assert maintain.plan(lakehouse, CONFIG).startswith(done + many)
    never = CONFIG.model_copy(update={"every_days": 0})
    assert maintain.plan(lakehouse, never).startswith(f"last done as of {MONDAY}; {many}")
    few = CONFIG.model_copy(update={"min_small_files": 7})
    assert "small files to be joined: none" in maintain.plan(lakehouse, few)
    assert n_files(lakehouse) == before
    # What is still to be read is left, as it is by the job.
    build(lakehouse)
    add_events(lakehouse, 7)
    assert "to be joined: none" in (told := maintain.plan(lakehouse, CONFIG))
    assert told.endswith("left for the next time, as it is still to be read: bronze/events")


def test_few_small_files_are_left(lakehouse: Lakehouse) -> None:
    few = CONFIG.model_copy(update={"min_small_files": 7})
    maintain.run(lakehouse, registry(), few, TUNING)
    assert n_files(lakehouse) == 12


def test_joined_files_are_no_change_to_who_reads_changes(lakehouse: Lakehouse) -> None:
    version = build(lakehouse)
    maintain.run(lakehouse, registry(), CONFIG, TUNING)
    after = lakehouse.version(EVENTS)
    assert after > version
    assert find_touched_dates(lakehouse, SESSION_DAYS, after).dates == []
    add_events(lakehouse, 8)
    touched = find_touched_dates(lakehouse, SESSION_DAYS, lakehouse.version(EVENTS))
    assert touched.dates == [MONDAY + timedelta(days=8)]


def build(lakehouse: Lakehouse) -> int:
    """Note that session days were built of the events that are there."""
    lakehouse.create(SESSION_DAYS)
    version = lakehouse.version(EVENTS)
    touched = find_touched_dates(lakehouse, SESSION_DAYS, version)
    append_files([], lakehouse.uri(SESSION_DAYS), {}, touched.once)
    return version


def test_changes_that_nobody_has_read_stay_readable(lakehouse: Lakehouse) -> None:
    version = build(lakehouse)
    add_events(lakehouse, 7)
    lakehouse.delete_rows(EVENTS, {"event_date": [MONDAY], "bucket": [0]})
    # The commit that was noted is told by its content.
    age(lakehouse, after=version)
    maintain.run(lakehouse, registry(), CONFIG, TUNING)
    touched = find_touched_dates(lakehouse, SESSION_DAYS, lakehouse.version(EVENTS))
    assert touched.dates == [MONDAY, MONDAY + timedelta(days=7)]


def test_old_files_go_when_no_version_of_late_names_them(lakehouse: Lakehouse) -> None:
    lakehouse.delete_rows(EVENTS, {"user_id": ["a"]})
    orphan = Path(lakehouse.uri(EVENTS), "bucket=0", "part-killed.parquet")
    orphan.write_bytes(b"never committed")
    fresh = orphan.with_name("part-fresh.parquet")
    age(lakehouse)
    fresh.write_bytes(b"about to be committed")
    maintain.run(lakehouse, registry(), CONFIG, TUNING)
    assert [path.name for path in orphan.parent.iterdir()] == [fresh.name]
    assert len(rows_of(lakehouse, EVENTS)) == 6


def test_version_that_a_training_names_stays_readable(lakehouse: Lakehouse) -> None:
    named = lakehouse.version(EVENTS)
    lakehouse.delete_rows(EVENTS, {"user_id": ["a"]})
    age(lakehouse)
    tags = {
        "as_of": str(MONDAY),
        "version_events": str(named),
        "table_events": lakehouse.table_id(EVENTS),
    }
    maintain.run(lakehouse, registry(tags), CONFIG, TUNING)
    there = DeltaTable(lakehouse.uri(EVENTS), named).to_pyarrow_table()
    assert there.num_rows == 12
    properties = lakehouse.properties(EVENTS)
    assert properties["delta.logRetentionDuration"] == f"interval {CONFIG.keep_named_days} days"
    # Another table's numbers keep nothing.
    maintain.run(lakehouse, registry(tags | {"table_events": "another"}), CONFIG, TUNING)
    with pytest.raises(FileNotFoundError):
        DeltaTable(lakehouse.uri(EVENTS), named).to_pyarrow_table()


def test_batch_that_waits_for_its_commit_keeps_its_files(lakehouse: Lakehouse) -> None:
    for spec in ingest_batch.TABLES[1:]:
        lakehouse.create(spec)
    waiting = Path(lakehouse.uri(EVENTS), "bucket=0", "part-waiting.parquet")
    waiting.write_bytes(b"rows")
    ingest_batch.write_pending(lakehouse, PendingBatch(9, [], {}, {}, {}))
    age(lakehouse)
    maintain.run(lakehouse, registry(), CONFIG, TUNING)
    assert waiting.exists()
    ingest_batch.forget_pending(lakehouse)
    maintain.run(lakehouse, registry(), CONFIG, TUNING)
    assert not waiting.exists()


def test_night_maintains_when_it_is_due(lakehouse: Lakehouse, monkeypatch: Any) -> None:
    done: list[date | None] = []
    monkeypatch.setattr(maintain, "_tidy_files", lambda *_: done.append(night) or [])
    for days in (0, 1, 6, 7, 7, 3, 14, 20, 21):
        night = MONDAY + timedelta(days=days)
        maintain.run_if_due(lakehouse, registry(), CONFIG, TUNING, night)
    assert done == [MONDAY + timedelta(days=days) for days in (7, 14, 21)]
    never = CONFIG.model_copy(update={"every_days": 0})
    maintain.run_if_due(lakehouse, registry(), never, TUNING, MONDAY + timedelta(days=100))
    assert len(done) == 3


def test_what_nights_of_long_ago_found_goes_and_what_they_decided_stays(
    lakehouse: Lakehouse,
) -> None:
    nights = [MONDAY - timedelta(days=731), MONDAY - timedelta(days=730), MONDAY]
    for night in nights:
        write_checks(lakehouse, night, [CheckResult("rows", 1.0, "", True, "")])
    # A mistyped date, held for its data: as of it all the others would be of long ago.
    ahead = MONDAY.replace(year=2031)
    write_checks(lakehouse, ahead, [CheckResult("freshness", 1e5, "", False, "")])
    for days in (732, 729):
        begun = datetime.now(UTC) - timedelta(days=days)
        run_id = f"{begun:%Y%m%dT%H%M%S}-nightly"
        write_run(lakehouse, Run(run_id, "nightly", None, begun, 1.0, 1.0, 1, 0, None, {}, {}))
    decided = [(nights[0], 0, "keep", "quiet", "", None, None, None, policy(), None)]
    lakehouse.replace_rows(decided, DECISIONS, {"run_date": [nights[0]]})
    asked = Registry()
    maintain.run(lakehouse, cast(ModelRegistry, asked), CONFIG, TUNING)
    assert lakehouse.partition_values(DATA_CHECKS, "run_date") == [*nights[1:], ahead]
    assert rows_of(lakehouse, RUNS)["run_id"].to_list() == [run_id]
    assert lakehouse.count_rows(DECISIONS) == 1
    assert asked.first == MONDAY - timedelta(days=CONFIG.keep_models_days)


def policy() -> str:
    return load_config().policy.model_dump_json()


@pytest.mark.parametrize(
    ("key", "value"), [("keep_days", 6), ("keep_rows_days", 100), ("min_small_files", 1)]
)
def test_too_short_a_memory_is_refused(key: str, value: int) -> None:
    with pytest.raises(ValueError, match=key):
        MaintenanceConfig.model_validate(CONFIG.model_dump() | {key: value})
