"""The service reads the registry that MLflow has written, wherever it lies, and nothing else."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pandas as pd
import pytest
from serving_builders import make_bundle, make_config, make_rows, register_champion

from churn_spark.config import Config
from churn_spark.errors import ChampionError, ConfigError, NoChampionError
from churn_spark.models.registry import ModelRegistry
from churn_spark.serving.champion import ChampionWatch, connect_registry
from churn_spark.serving.registry import LakehouseRegistry

OLD, NEW = make_bundle(seed=0), make_bundle(seed=50)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Config:
    """A lakehouse whose second champion came by MLflow's own client."""
    config = make_config(tmp_path_factory.mktemp("written"))
    for bundle in (OLD, NEW):
        register_champion(config, bundle)
    return config


def write_to(config: Config, statement: str) -> None:
    store = Path(config.lakehouse) / "mlflow" / "mlflow.db"
    with closing(sqlite3.connect(store)) as connection, connection:
        connection.execute(statement)


def copy_of(config: Config, lakehouse: Path) -> Config:
    shutil.copytree(config.lakehouse, lakehouse)
    return make_config(lakehouse)


def test_it_says_what_mlflow_says(written: Config) -> None:
    by_mlflow = ModelRegistry(written.registry, written.lakehouse)
    read = connect_registry(written)
    assert isinstance(read, LakehouseRegistry)
    assert read.champion_version() == by_mlflow.champion_version() == "2"
    for version in ("1", "2"):
        assert read.trained_on(version) == by_mlflow.trained_on(version) != {}
    found, expected = read.load_champion(), by_mlflow.load_champion()
    assert (found.version, found.metrics["roc_auc"]) == (expected.version, 0.71)
    pd.testing.assert_frame_equal(found.baseline, expected.baseline)
    rows = make_rows(50, seed=9)
    assert (found.probabilities(rows) == NEW.probabilities(rows)).all()


def test_lakehouse_that_has_moved_is_read_where_it_is(written: Config, tmp_path: Path) -> None:
    here = copy_of(written, tmp_path / "elsewhere")
    away = Path(written.lakehouse)
    hidden = away.rename(away.with_name("away"))
    try:
        watch = ChampionWatch(here)
        watch.look()
        assert (watch.problem, watch.current().bundle.version) == ("", "2")
    finally:
        hidden.rename(away)


def test_files_that_stayed_behind_are_read_there(written: Config, tmp_path: Path) -> None:
    here = copy_of(written, tmp_path / "elsewhere")
    shutil.rmtree(tmp_path / "elsewhere" / "mlflow" / "artifacts")
    assert connect_registry(here).load_champion().version == "2"
    write_to(here, "UPDATE runs SET artifact_uri = '/nowhere/' || run_uuid")
    with pytest.raises(ChampionError, match=r"neither in .* nor in /nowhere/"):
        connect_registry(here).load_champion()


def test_alias_of_another_model_is_not_the_champion(written: Config, tmp_path: Path) -> None:
    here = copy_of(written, tmp_path / "elsewhere")
    write_to(here, "UPDATE registered_model_aliases SET name = 'other'")
    read = connect_registry(here)
    assert read.champion_version() is None
    with pytest.raises(NoChampionError, match="no champion of model 'churn'"):
        read.load_champion()


def test_schema_of_another_release_is_refused(written: Config, tmp_path: Path) -> None:
    here = copy_of(written, tmp_path / "elsewhere")
    write_to(here, "UPDATE alembic_version SET version_num = 'abc'")
    with pytest.raises(ConfigError, match=r"has the schema \[\('abc',\)\], expected"):
        connect_registry(here)


def test_registry_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    config = make_config(tmp_path / "nothing #1?")
    with pytest.raises(ConfigError, match="no model registry at"):
        connect_registry(config)
    assert not any(tmp_path.iterdir())


def test_name_with_every_odd_sign_is_found(written: Config, tmp_path: Path) -> None:
    here = copy_of(written, tmp_path / "a b#c?d%20=&é")
    assert connect_registry(here).load_champion().version == "2"


def test_it_writes_nothing(written: Config) -> None:
    folder = Path(written.lakehouse)
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    read = connect_registry(written)
    read.trained_on(read.load_champion().version)
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


def test_service_answers_without_loading_mlflow(written: Config) -> None:
    code = (
        "import json, sys, churn_spark.serving.__main__\n"
        "from churn_spark.config import load_config\n"
        "from churn_spark.serving.champion import ChampionWatch\n"
        "watch = ChampionWatch(load_config(overrides=['lakehouse=' + sys.argv[1]])); watch.look()\n"
        "watch.current()\n"
        "heavy = {'mlflow', 'pyspark', 'sqlalchemy', 'optuna'}\n"
        "print(json.dumps(sorted(heavy & set(sys.modules))))"
    )
    command = [sys.executable, "-c", code, written.lakehouse]
    said = subprocess.run(command, check=True, capture_output=True, text=True)
    assert json.loads(said.stdout) == []


def test_told_to_stop_it_ends_without_a_failure(written: Config) -> None:
    command = [sys.executable, "-m", "churn_spark.serving", "--port", "0"]
    environment = {**os.environ, "LAKEHOUSE": written.lakehouse}
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        said = next(line for line in process.stderr if "answers now" in line)
        process.send_signal(signal.SIGTERM)
        assert process.wait(15) == 0, said
