"""Session days and transitions on tables: only what is touched, exactly, whatever happens."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from deltalake import DeltaTable
from pyspark import cloudpickle

from churn_spark.config import IngestConfig, load_config
from churn_spark.contracts.tables import EVENTS, SESSION_DAYS, TRANSITIONS
from churn_spark.errors import MissingTableError
from churn_spark.features.ordered_events import order_events
from churn_spark.features.session_days import build_session_days
from churn_spark.lakehouse.commits import Once, append_files, create_table
from churn_spark.lakehouse.data_files import write_data_files
from churn_spark.pipeline import rollups, session_days, transitions
from tests.builders import millis, random_records, record
from tests.local_lakehouse import LocalLakehouse
from tests.rollup_builders import event_frame
from tests.rollup_tables import (
    BOTH,
    Records,
    assert_up_to_date,
    deliver,
    files_by_date,
    versions,
)

_DAY = 86_400_000


@pytest.fixture
def lakehouse(tmp_path: Path) -> LocalLakehouse:
    # A name that isn't the same in an address.
    return LocalLakehouse(str(tmp_path / "a läke #{x}?"))


@pytest.fixture
def config() -> IngestConfig:
    return load_config().ingest


@pytest.fixture
def log() -> Records:
    return random_records(seed=11, n_users=10)


def test_tables_are_those_of_the_whole_log_when_it_comes_in_parts(
    lakehouse: LocalLakehouse, config: IngestConfig, log: Records
) -> None:
    # Shuffled: each part has late events. One part comes twice.
    part = len(log) // 3
    parts = [log[:part], log[part : 2 * part], log[:part], log[2 * part :]]
    for batch, records in enumerate(parts):
        deliver(lakehouse, records, batch)
        rollups.run(lakehouse, config, BOTH)
    assert_up_to_date(lakehouse, log)


class TasksHere:
    """Spark's way to deal work to tasks: each gets only what can be sent to it."""

    def __init__(self) -> None:
        self.hands: list[Any] = []

    def parallelize(self, hands: list[Any], n: int) -> TasksHere:
        assert len(hands) == n
        self.hands = hands
        return self

    def map(self, task: Callable[[Any], Any]) -> TasksHere:
        self.hands = [sent(sent(task)(sent(hand))) for hand in self.hands]
        return self

    def collect(self) -> list[Any]:
        return self.hands


def sent(what: Any) -> Any:
    return cloudpickle.loads(cloudpickle.dumps(what))


def test_tasks_write_what_the_driver_writes(
    lakehouse: LocalLakehouse, config: IngestConfig, log: Records
) -> None:
    tasks = TasksHere()
    context = SimpleNamespace(defaultParallelism=3, parallelize=tasks.parallelize)
    lakehouse.__dict__["spark"] = SimpleNamespace(sparkContext=context)
    deliver(lakehouse, log[::2], 0)
    rollups.run(lakehouse, config.model_copy(update={"max_driver_events": 9}), BOTH)
    assert len(tasks.hands) == 3
    deliver(lakehouse, log[1::2], 1)
    rollups.run(lakehouse, config, BOTH)
    assert_up_to_date(lakehouse, log)


def test_a_rerun_writes_nothing(
    lakehouse: LocalLakehouse, config: IngestConfig, log: Records
) -> None:
    deliver(lakehouse, log, 0)
    rollups.run(lakehouse, config, BOTH)
    done = versions(lakehouse)
    rollups.run(lakehouse, config, BOTH)
    assert versions(lakehouse) == done


def test_a_table_of_events_is_needed(lakehouse: LocalLakehouse, config: IngestConfig) -> None:
    with pytest.raises(MissingTableError, match="found no table bronze/events"):
        rollups.run(lakehouse, config, BOTH)


def test_only_touched_dates_are_rebuilt(
    lakehouse: LocalLakehouse, config: IngestConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    start = millis("2018-10-01 12:00:00")
    records = [record(ts=start + day * _DAY, userId=user) for day in range(5) for user in "abc"]
    deliver(lakehouse, records, 0)
    rollups.run(lakehouse, config, BOTH)
    before = files_by_date(lakehouse, SESSION_DAYS), files_by_date(lakehouse, TRANSITIONS)
    late = record(ts=start + 2 * _DAY + 1, userId="a", page="Home")
    deliver(lakehouse, [late], 1)
    capsys.readouterr()
    rollups.run(lakehouse, config, BOTH)
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition("  [")[0] for line in lines] == [
        "build_session_days   1 date rebuilt from version 2 of the events",
        "build_transitions    1 date rebuilt from version 2 of the events",
    ]
    after = files_by_date(lakehouse, SESSION_DAYS), files_by_date(lakehouse, TRANSITIONS)
    changed = [
        {day for day in new if old[day] != new[day]} for old, new in zip(before, after, strict=True)
    ]
    # The day after has no event of its own that depends on the late one, but it might.
    assert changed == [{date(2018, 10, 3)}, {date(2018, 10, 3), date(2018, 10, 4)}]
    assert_up_to_date(lakehouse, [*records, late])


@pytest.mark.parametrize("n_commits", [0, 1])
def test_a_rerun_after_a_kill_ends_in_the_same_tables(
    n_commits: int,
    lakehouse: LocalLakehouse,
    config: IngestConfig,
    log: Records,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    deliver(lakehouse, log[::2], 0)
    rollups.run(lakehouse, config, BOTH)
    before = versions(lakehouse)
    deliver(lakehouse, log[1::2], 1)
    commit, done = rollups.replace_partitions, []

    def killed(*args: Any) -> bool:
        if len(done) == n_commits:
            raise KeyboardInterrupt
        done.append(args)
        return commit(*args)

    with monkeypatch.context() as patch:
        patch.setattr(rollups, "replace_partitions", killed)
        with pytest.raises(KeyboardInterrupt):
            rollups.run(lakehouse, config, BOTH)
    assert versions(lakehouse) == (before[0] + n_commits, before[1])
    rollups.run(lakehouse, config, BOTH)
    assert versions(lakehouse) == (before[0] + 1, before[1] + 1)
    assert_up_to_date(lakehouse, log)


def test_each_table_may_be_built_alone(
    lakehouse: LocalLakehouse, config: IngestConfig, log: Records
) -> None:
    deliver(lakehouse, log, 0)
    transitions.run(lakehouse, config)
    assert not lakehouse.exists(SESSION_DAYS)
    session_days.run(lakehouse, config)
    assert_up_to_date(lakehouse, log)


def test_a_table_without_a_note_is_built_anew(
    lakehouse: LocalLakehouse, config: IngestConfig, log: Records
) -> None:
    deliver(lakehouse, log, 0)
    stale = record(ts=millis("2018-10-02 00:00:00"), userId="gone")
    rows = build_session_days(order_events(event_frame([stale])))
    table = lakehouse.uri(SESSION_DAYS)
    create_table(SESSION_DAYS, table, {})
    append_files(write_data_files(rows, SESSION_DAYS, table, {}), table, {}, Once("older code", 0))
    rollups.run(lakehouse, config, BOTH)
    assert_up_to_date(lakehouse, log)


def test_tables_follow_when_the_events_are_made_anew_or_of_another_time(
    lakehouse: LocalLakehouse, config: IngestConfig, log: Records, tmp_path: Path
) -> None:
    events, backup = Path(lakehouse.uri(EVENTS)), tmp_path / "backup"
    deliver(lakehouse, log[::3], 0)
    shutil.copytree(events, backup)
    deliver(lakehouse, log[1::3], 1)
    rollups.run(lakehouse, config, BOTH)
    # Made anew, with as many versions or more, and with other dates.
    shutil.rmtree(events)
    later = [one | {"ts": one["ts"] + 40 * _DAY} for one in log]
    for batch in range(3):
        deliver(lakehouse, later[batch::3], batch)
    rollups.run(lakehouse, config, BOTH)
    assert_up_to_date(lakehouse, later)
    # Restored: the same table as at first, an earlier version of it.
    shutil.rmtree(events)
    shutil.copytree(backup, events)
    rollups.run(lakehouse, config, BOTH)
    assert_up_to_date(lakehouse, log[::3])
    # From here it comes to the same numbers by another way.
    deliver(lakehouse, log[2::3], 2)
    rollups.run(lakehouse, config, BOTH)
    shutil.rmtree(events)
    shutil.copytree(backup, events)
    for batch in (3, 4):
        deliver(lakehouse, log[1::3], batch)
    rollups.run(lakehouse, config, BOTH)
    assert_up_to_date(lakehouse, [*log[::3], *log[1::3]])


def test_dates_are_all_rebuilt_when_the_change_feed_has_lost_its_files(
    lakehouse: LocalLakehouse, config: IngestConfig, log: Records
) -> None:
    deliver(lakehouse, log[::2], 0)
    rollups.run(lakehouse, config, BOTH)
    deliver(lakehouse, log[1::2], 1)
    events = DeltaTable(lakehouse.uri(EVENTS))
    events.optimize.compact()
    events.vacuum(0, dry_run=False, enforce_retention_duration=False, full=True)
    rollups.run(lakehouse, config, BOTH)
    assert_up_to_date(lakehouse, log)


def test_dates_are_all_rebuilt_when_the_log_of_the_change_is_gone(
    lakehouse: LocalLakehouse, config: IngestConfig, log: Records
) -> None:
    deliver(lakehouse, log[::3], 0)
    rollups.run(lakehouse, config, BOTH)
    for batch in (1, 2):
        deliver(lakehouse, log[batch::3], batch)
    DeltaTable(lakehouse.uri(EVENTS)).create_checkpoint()
    for number in range(3):
        (Path(lakehouse.uri(EVENTS)) / "_delta_log" / f"{number:020d}.json").unlink()
    rollups.run(lakehouse, config, BOTH)
    assert_up_to_date(lakehouse, log)


def test_orphans_of_a_failed_task_are_removed_by_vacuum(
    lakehouse: LocalLakehouse, config: IngestConfig, log: Records
) -> None:
    deliver(lakehouse, log, 0)
    rollups.run(lakehouse, config, BOTH)
    rows = build_session_days(order_events(event_frame(log)))
    orphans = write_data_files(rows, SESSION_DAYS, lakehouse.uri(SESSION_DAYS), {})
    table = DeltaTable(lakehouse.uri(SESSION_DAYS))
    gone = table.vacuum(0, dry_run=False, enforce_retention_duration=False, full=True)
    assert {Path(path).name for path in gone} == {Path(one.path).name for one in orphans}
    assert_up_to_date(lakehouse, log)


def test_any_order_of_deliveries_ends_in_the_same_tables(
    lakehouse: LocalLakehouse, config: IngestConfig, log: Records
) -> None:
    rng = random.Random(3)
    for batch in range(6):
        deliver(lakehouse, [one for one in log if rng.random() < 0.4], batch)
        steps = rng.choice([session_days.STEP, transitions.STEP, BOTH])
        rollups.run(lakehouse, config, steps)
    deliver(lakehouse, log, 6)
    rollups.run(lakehouse, config, BOTH)
    assert_up_to_date(lakehouse, log)
