"""The scripts that nights are measured by agree with each other, label and all."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bench.peers import with_duckdb, with_polars
from bench.peers.compare import differences_of, ordered
from bench.peers.shared import CATEGORIES, KEY, NUMBERS
from churn_spark.simulate.settings import SimulationSettings
from churn_spark.simulate.world import simulate_log

SETTINGS = SimulationSettings(users=120, days=35, seed=5)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a simulated log and room for what is computed of it."""
    folder = tmp_path_factory.mktemp("world")
    simulate_log(SETTINGS, folder)
    return folder


@pytest.fixture(scope="module")
def rows(world: Path) -> dict[str, pd.DataFrame]:
    """What both scripts compute."""
    night = SETTINGS.start + timedelta(days=SETTINGS.days)
    dates = [str(night - timedelta(days=n)) for n in (20, 16)]
    found = {}
    for name, script in (("duckdb", with_duckdb), ("polars", with_polars)):
        script.main([str(world / "events"), str(world / name), str(night), *dates])
        found[name] = ordered(pd.read_parquet(world / name / "features.parquet"))
    return found


def test_scripts_compute_the_same_features(rows: dict[str, pd.DataFrame]) -> None:
    assert list(differences_of(rows["duckdb"], rows["polars"])) == []
    assert rows["duckdb"]["as_of"].nunique() == 3
    assert rows["duckdb"]["label"].tolist() == pytest.approx(
        rows["polars"]["label"].tolist(), nan_ok=True
    )


@pytest.mark.parametrize("column", ["songs_7d", "os", "user_id"])
def test_difference_is_found_when_a_value_is_another(
    column: str, rows: dict[str, pd.DataFrame]
) -> None:
    changed = rows["polars"].copy()
    changed.loc[3, column] = "x" if column in [*CATEGORIES, *KEY] else 1e6
    assert len(list(differences_of(rows["duckdb"], changed))) == 1


def test_labels_are_of_both_kinds(rows: dict[str, pd.DataFrame]) -> None:
    before = pd.Timestamp(SETTINGS.start + timedelta(days=SETTINGS.days))
    known = rows["duckdb"][rows["duckdb"]["as_of"] < before]["label"].dropna()
    assert set(np.unique(known)) == {0, 1}


def test_script_tells_what_each_stage_took(
    world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    night = SETTINGS.start + timedelta(days=SETTINGS.days)
    arguments = [str(world / "events"), str(tmp_path / "out"), str(night)]
    with_polars.main([*arguments, str(night - timedelta(days=16))])
    steps = json.loads(capsys.readouterr().out.splitlines()[-1])
    names = ["start", "ingest", "user days", "features", "train", "score", "drift"]
    assert [step["name"] for step in steps] == names
    assert all(step["wall_s"] > 0 for step in steps)
    scores = pd.read_parquet(tmp_path / "out" / "scores.parquet")
    assert scores["churn_probability"].between(0, 1).all()
    assert len(NUMBERS) + len(CATEGORIES) == 38
