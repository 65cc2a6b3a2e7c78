"""A few mornings on a log that grows while the nights run, against the whole log at once."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from bench.live_log import disturb, mornings, read_lines
from bench.live_mornings import _differing_labels, build_tables, compare, live
from churn_spark.config import load_config
from churn_spark.contracts.tables import LABELS, LOG_DATES
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.pipeline import ingest
from churn_spark.simulate.settings import SimulationSettings
from churn_spark.simulate.world import simulate_log
from tests.local_lakehouse import LocalLakehouse, list_folder, open_local, rows_of

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
    found: dict[str, Any] = compare(grown, whole, nights, config)
    assert found == dict.fromkeys(found, 0)
    assert rows_of(grown, LABELS)["label"].sum() > 0
    left = rows_of(whole, LABELS).filter(as_of=nights[-1]).height
    assert 0 < left == _differing_labels(open_local(tmp_path / "empty"), whole, nights[-1:])
    assert rows_of(grown, LOG_DATES).filter(place="out of place").height == log.n_wrong
    counted = rows_of(grown, LOG_DATES)["n_events"].sum()
    lines = sum(len(path.read_bytes().splitlines()) for path in (tmp_path / "incoming").iterdir())
    assert lines == len(log.lines)
    assert 0 < counted <= lines
