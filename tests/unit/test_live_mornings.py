"""A few mornings on a log that grows while the nights run, against the whole log at once."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from bench import live_mornings
from bench.live_log import LiveLog, count_by_date, disturb, mornings, read_lines, take_once
from bench.live_mornings import (
    _differing_counts,
    _differing_labels,
    accept_lines,
    build_tables,
    compare,
    empty_tables,
    live,
    say_results,
)
from churn_spark.config import load_config
from churn_spark.contracts.tables import EVENTS, LABELS, LOG_DATES, SESSION_DAYS
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.pipeline import ingest
from churn_spark.simulate.settings import SimulationSettings
from churn_spark.simulate.world import simulate_log
from tests.local_lakehouse import LocalLakehouse, list_folder, open_local, rows_of
from tests.oracles import accept_events, read_records

_START, _HISTORY, _N_NIGHTS = date(2018, 10, 1), 9, 6


def test_tables_are_those_of_the_whole_log_when_it_grows_while_the_nights_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest, "list_location", lambda _, path, __: list_folder(Path(path)))
    monkeypatch.setattr(LocalLakehouse, "spark", None, raising=False)
    config = load_config(overrides=["labels.horizon_days=2", "ingest.buckets=2"])
    # Many cancel, so that few users do.
    settings = SimulationSettings(
        users=40,
        start=_START,
        days=_HISTORY + _N_NIGHTS,
        drift="label",
        drift_date=_START,
        drift_factor=8.0,
    )
    simulate_log(settings, tmp_path / "world")
    log = disturb(read_lines(tmp_path / "world" / "events"), _START, seed=1)
    assert log.n_wrong >= 2
    assert min(log.n_late, log.n_twice) > 50
    nights = mornings(_START + timedelta(days=_HISTORY), _N_NIGHTS)

    def run(lakehouse: Lakehouse, night: date, folder: Path) -> None:
        build_tables(lakehouse, folder, [night], config)

    grown, whole = (open_local(tmp_path / name) for name in ("grown", "whole"))
    live(grown, log, nights, tmp_path / "incoming", run)
    build_tables(whole, tmp_path / "incoming", nights, config)
    assert empty_tables(grown) == []
    found: dict[str, Any] = compare(grown, whole, nights, config, log)
    assert found == dict.fromkeys(found, 0)
    assert rows_of(grown, LABELS)["label"].sum() > 0
    left = rows_of(whole, LABELS).filter(as_of=nights[-1]).height
    assert 0 < left == _differing_labels(open_local(tmp_path / "empty"), whole, nights[-1:])
    assert rows_of(grown, LOG_DATES).filter(place="out of place").height == log.n_wrong
    lines = sum(len(path.read_bytes().splitlines()) for path in (tmp_path / "incoming").iterdir())
    assert lines == len(log.lines)
    # A plain reading of the definitions counts as many, those that came twice once.
    accepted = accept_events(read_records(tmp_path / "incoming"))
    in_sessions = rows_of(grown, SESSION_DAYS)["n_events"].sum()
    in_log = [event for event in accepted if event.day.year == _START.year]
    assert in_sessions == sum(event.is_logged_in for event in in_log) > 0
    records = accept_lines(log, config)
    assert rows_of(grown, LOG_DATES)["n_events"].sum() == len(records) > len(accepted)
    assert count_by_date(take_once(records)) == Counter(event.day for event in accepted)


def test_table_without_a_row_shows_nothing(tmp_path: Path) -> None:
    names = empty_tables(open_local(tmp_path / "empty"))
    assert {EVENTS.name, LABELS.name} < set(names)
    console = Console(record=True, width=200)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(live_mornings, "console", console)
        say_results(LiveLog([], 0, 0, 0), {EVENTS.name: 0}, names)
    said = console.export_text()
    assert "snapshots.refresh=all" in said
    assert said.endswith(f"Tables without a row: {', '.join(names)}: FAILS\n")


def test_events_that_neither_way_has_kept_are_missed(tmp_path: Path) -> None:
    record = {"ts": 1_538_400_000_000, "userId": "1", "auth": "Logged In"}
    records = [record, record, {**record, "auth": "Cancelled"}]
    found = _differing_counts(open_local(tmp_path / "empty"), records, date(2018, 10, 9))
    assert list(found.values()) == [3, 1]
