"""Session days and transitions on real tables: only what is touched, exactly once, by any way."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from deltalake import DeltaTable

from churn_spark.config import IngestConfig
from churn_spark.contracts.tables import EVENTS, SESSION_DAYS, TRANSITIONS, TableSpec
from churn_spark.features.ordered_events import order_events
from churn_spark.features.session_days import build_session_days
from churn_spark.features.transitions import build_transitions
from churn_spark.lakehouse.commits import Once, append_files, create_table
from churn_spark.lakehouse.data_files import write_data_files
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.pipeline import rollups, session_days, transitions
from churn_spark.pipeline.context import JobContext
from tests.builders import millis, random_records, record
from tests.rollup_builders import event_frame

_DAY = 86_400_000
_BOTH = session_days.STEP | transitions.STEP
Records = list[dict[str, Any]]


def deliver(lakehouse: Lakehouse, records: Iterable[Mapping[str, Any]], batch: int) -> None:
    """Add the events of records, as the ingest does."""
    table = lakehouse.uri(EVENTS)
    create_table(EVENTS, table, {})
    files = write_data_files(event_frame(records), EVENTS, table, {})
    append_files(files, table, {}, Once("test", batch))


def rows_of(lakehouse: Lakehouse, spec: TableSpec) -> pl.DataFrame:
    """All rows of a table, sorted, as Spark reads them."""
    found = lakehouse.read(spec).toPandas()
    instants = pl.selectors.datetime().cast(pl.Datetime("us", "UTC"))
    rows = pl.from_pandas(found, schema_overrides={"event_date": pl.Date}).with_columns(instants)
    return rows.sort(spec.column_names)


def same_as(rows: pl.DataFrame, expected: pl.DataFrame) -> bool:
    wanted = expected.sort(expected.columns)
    return rows.cast(dict(wanted.schema)).equals(wanted)


def assert_up_to_date(lakehouse: Lakehouse, records: Iterable[Mapping[str, Any]]) -> None:
    """Both tables are those of all records at once."""
    ordered = order_events(event_frame(records))
    assert same_as(rows_of(lakehouse, SESSION_DAYS), build_session_days(ordered))
    assert same_as(rows_of(lakehouse, TRANSITIONS), build_transitions(ordered))


def versions(lakehouse: Lakehouse) -> tuple[int, int]:
    return lakehouse.version(SESSION_DAYS), lakehouse.version(TRANSITIONS)


@pytest.fixture
def config(context: JobContext) -> IngestConfig:
    return context.config.ingest


@pytest.fixture
def log() -> Records:
    return random_records(seed=11, n_users=30)


def by_spark(monkeypatch: pytest.MonkeyPatch, config: IngestConfig) -> IngestConfig:
    monkeypatch.setattr(Lakehouse, "is_native", False)
    return config


_WAYS: dict[str, Callable[[pytest.MonkeyPatch, IngestConfig], IngestConfig]] = {
    "in the driver": lambda _, config: config,
    "by tasks": lambda _, config: config.model_copy(update={"max_driver_events": 0}),
    "by Spark": by_spark,
}


@pytest.mark.parametrize("way", _WAYS)
def test_tables_are_those_of_the_whole_log_when_it_comes_in_parts(
    way: str,
    context: JobContext,
    config: IngestConfig,
    log: Records,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Shuffled: each part has late events. One part comes twice.
    part = len(log) // 3
    parts = [log[:part], log[part : 2 * part], log[:part], log[2 * part :]]
    for batch, records in enumerate(parts):
        deliver(context.lakehouse, records, batch)
        with monkeypatch.context() as patch:
            rollups.run(context.lakehouse, _WAYS[way](patch, config), _BOTH)
    assert_up_to_date(context.lakehouse, log)


def test_ways_may_change_from_night_to_night(
    context: JobContext, config: IngestConfig, log: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = len(log) // 6 + 1
    for batch, way in enumerate([*_WAYS, *_WAYS]):
        deliver(context.lakehouse, log[batch * part : (batch + 1) * part], batch)
        with monkeypatch.context() as patch:
            rollups.run(context.lakehouse, _WAYS[way](patch, config), _BOTH)
            done = versions(context.lakehouse)
            rollups.run(context.lakehouse, _WAYS[way](patch, config), _BOTH)
            assert versions(context.lakehouse) == done
    assert_up_to_date(context.lakehouse, log)


def test_only_touched_dates_are_rebuilt(
    context: JobContext, config: IngestConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    start = millis("2018-10-01 12:00:00")
    records = [record(ts=start + day * _DAY, userId=user) for day in range(5) for user in "abc"]
    deliver(context.lakehouse, records, 0)
    rollups.run(context.lakehouse, config, _BOTH)
    before = files_by_date(context.lakehouse, SESSION_DAYS), files_by_date(
        context.lakehouse, TRANSITIONS
    )
    late = record(ts=start + 2 * _DAY + 1, userId="a", page="Home")
    deliver(context.lakehouse, [late], 1)
    capsys.readouterr()
    rollups.run(context.lakehouse, config, _BOTH)
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition("  [")[0] for line in lines] == [
        "build_session_days   events v2: 1 date rebuilt",
        "build_transitions    events v2: 1 date rebuilt",
    ]
    after = files_by_date(context.lakehouse, SESSION_DAYS), files_by_date(
        context.lakehouse, TRANSITIONS
    )
    changed = [{day for day in new if old[day] != new[day]} for old, new in zip(before, after)]
    # The day after has no event of its own that depends on the late one, but it might.
    assert changed == [{date(2018, 10, 3)}, {date(2018, 10, 3), date(2018, 10, 4)}]
    assert_up_to_date(context.lakehouse, [*records, late])


def files_by_date(lakehouse: Lakehouse, spec: TableSpec) -> dict[date, set[str]]:
    actions = pl.DataFrame(DeltaTable(lakehouse.uri(spec)).get_add_actions(flatten=True))
    return {
        day: set(paths)
        for day, paths in actions.group_by("partition.event_date").agg("path").iter_rows()
    }


@pytest.mark.parametrize("n_commits", [0, 1])
def test_a_rerun_after_a_kill_ends_in_the_same_tables(
    n_commits: int,
    context: JobContext,
    config: IngestConfig,
    log: Records,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    deliver(context.lakehouse, log[::2], 0)
    rollups.run(context.lakehouse, config, _BOTH)
    before = versions(context.lakehouse)
    deliver(context.lakehouse, log[1::2], 1)
    commit, done = rollups.replace_partitions, []

    def killed(*args: Any) -> bool:
        if len(done) == n_commits:
            raise KeyboardInterrupt
        done.append(args)
        return commit(*args)

    with monkeypatch.context() as patch:
        patch.setattr(rollups, "replace_partitions", killed)
        with pytest.raises(KeyboardInterrupt):
            rollups.run(context.lakehouse, config, _BOTH)
    assert versions(context.lakehouse) == (before[0] + n_commits, before[1])
    rollups.run(context.lakehouse, config, _BOTH)
    assert versions(context.lakehouse) == (before[0] + 1, before[1] + 1)
    assert_up_to_date(context.lakehouse, log)


def test_each_table_may_be_built_alone(
    context: JobContext, config: IngestConfig, log: Records
) -> None:
    deliver(context.lakehouse, log, 0)
    transitions.run(context.lakehouse, config)
    assert not context.lakehouse.exists(SESSION_DAYS)
    session_days.run(context.lakehouse, config)
    assert_up_to_date(context.lakehouse, log)


def test_a_table_without_a_note_is_built_anew(
    context: JobContext, config: IngestConfig, log: Records
) -> None:
    lakehouse = context.lakehouse
    deliver(lakehouse, log, 0)
    stale = record(ts=millis("2018-10-02 00:00:00"), userId="gone")
    rows = build_session_days(order_events(event_frame([stale])))
    table = lakehouse.uri(SESSION_DAYS)
    create_table(SESSION_DAYS, table, {})
    append_files(write_data_files(rows, SESSION_DAYS, table, {}), table, {}, Once("older code", 0))
    rollups.run(lakehouse, config, _BOTH)
    assert_up_to_date(lakehouse, log)


def test_dates_are_all_rebuilt_when_the_change_feed_has_lost_its_files(
    context: JobContext, config: IngestConfig, log: Records
) -> None:
    lakehouse = context.lakehouse
    deliver(lakehouse, log[::2], 0)
    rollups.run(lakehouse, config, _BOTH)
    deliver(lakehouse, log[1::2], 1)
    events = DeltaTable(lakehouse.uri(EVENTS))
    events.optimize.compact()
    events.vacuum(0, dry_run=False, enforce_retention_duration=False)
    rollups.run(lakehouse, config, _BOTH)
    assert_up_to_date(lakehouse, log)


def test_spark_merges_compacts_and_cleans_what_was_written_without_it(
    context: JobContext, config: IngestConfig, log: Records
) -> None:
    lakehouse, spark = context.lakehouse, context.spark
    deliver(lakehouse, log[::2], 0)
    deliver(lakehouse, log[1::2], 1)
    rollups.run(lakehouse, config, _BOTH)
    first = versions(lakehouse)
    for spec in (EVENTS, SESSION_DAYS, TRANSITIONS):
        spark.sql(f"OPTIMIZE delta.`{lakehouse.path(spec)}`").collect()
    # Spark has written all files anew, and no event has changed.
    compacted = versions(lakehouse)
    rollups.run(lakehouse, config, _BOTH)
    assert versions(lakehouse) == compacted
    assert_up_to_date(lakehouse, log)

    user = str(log[0]["userId"])
    spark.sql(
        f"MERGE INTO delta.`{lakehouse.path(EVENTS)}` e USING (SELECT '{user}' AS user_id) u "
        "ON e.user_id = u.user_id WHEN MATCHED THEN DELETE"
    ).collect()
    rollups.run(lakehouse, config, _BOTH)
    others = [one for one in log if str(one["userId"]) != user]
    assert len(others) < len(log)
    assert_up_to_date(lakehouse, others)

    travelled = spark.read.format("delta").option("versionAsOf", first[0])
    ordered = order_events(event_frame(log))
    n_rows = build_session_days(ordered).height
    assert travelled.load(lakehouse.path(SESSION_DAYS)).count() == n_rows
    # `VACUUM` refuses less than the usual week; nothing that counts may go.
    for spec in (EVENTS, SESSION_DAYS, TRANSITIONS):
        spark.sql(f"VACUUM delta.`{lakehouse.path(spec)}`").collect()
    assert_up_to_date(lakehouse, others)


def test_orphans_of_a_failed_task_are_removed_by_vacuum(
    context: JobContext, config: IngestConfig, log: Records
) -> None:
    lakehouse = context.lakehouse
    deliver(lakehouse, log, 0)
    rollups.run(lakehouse, config, _BOTH)
    rows = build_session_days(order_events(event_frame(log)))
    orphans = write_data_files(rows, SESSION_DAYS, lakehouse.uri(SESSION_DAYS), {})
    table = DeltaTable(lakehouse.uri(SESSION_DAYS))
    gone = table.vacuum(0, dry_run=False, enforce_retention_duration=False)
    assert {Path(path).name for path in gone} == {Path(one.path).name for one in orphans}
    assert_up_to_date(lakehouse, log)


def test_any_order_of_deliveries_ends_in_the_same_tables(
    context: JobContext, config: IngestConfig, log: Records
) -> None:
    rng = random.Random(3)
    lakehouse = context.lakehouse
    for batch in range(6):
        deliver(lakehouse, [one for one in log if rng.random() < 0.4], batch)
        steps = rng.choice([session_days.STEP, transitions.STEP, _BOTH])
        rollups.run(lakehouse, config, steps)
    deliver(lakehouse, log, 6)
    rollups.run(lakehouse, config, _BOTH)
    assert_up_to_date(lakehouse, log)
