"""The MLflow store of a lakehouse that was moved, or that another release or person has touched."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient
from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.exc import OperationalError

from churn_spark.config import load_config
from churn_spark.errors import StoreError
from churn_spark.models.own_store import opening
from churn_spark.models.registry import ModelRegistry
from churn_spark.troubles import exit_code_of

CONFIG = load_config().registry


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lakehouse whose store has a version with a file."""
    folder = tmp_path_factory.mktemp("made") / "lake"
    registry = ModelRegistry(CONFIG, str(folder))
    with registry.run("training", {"as_of": "2018-11-01"}) as run_id:
        client = MlflowClient()
        client.log_text(run_id, "trees", "model/trees.txt")
        client.create_registered_model(CONFIG.model_name)
        source = f"{client.get_run(run_id).info.artifact_uri}/model"
        client.create_model_version(CONFIG.model_name, source, run_id)
    return folder


@pytest.fixture
def store(made: Path, tmp_path: Path) -> Path:
    """The SQLite file of a copy of it."""
    shutil.copytree(made, tmp_path / "lake")
    return tmp_path / "lake" / "mlflow" / "mlflow.db"


def change(store: Path, statement: str) -> None:
    with closing(sqlite3.connect(store)) as connection, connection:
        connection.execute(statement)


def test_files_are_found_and_written_where_the_lakehouse_is_now(store: Path, made: Path) -> None:
    files_before = sorted(made.rglob("*"))
    lake = store.parents[1]
    for name in ("moved", "moved again"):
        lake = lake.rename(lake.with_name(name))
        registry = ModelRegistry(CONFIG, str(lake))
        client = MlflowClient()
        run_id = registry.run_of("1")
        assert Path(client.download_artifacts(run_id, "model/trees.txt")).read_text() == "trees"
        source = client.get_model_version(CONFIG.model_name, "1").source
        assert Path(source).is_relative_to(lake)
        with registry.run("another", {}) as another:
            client.log_text(another, "new", "new.txt")
        assert (lake / "mlflow" / "artifacts" / another / "artifacts" / "new.txt").exists()
    assert sorted(made.rglob("*")) == files_before


@pytest.mark.parametrize("n_pages", [20, 120])
def test_store_is_made_whole_after_the_disk_was_full(n_pages: int, tmp_path: Path) -> None:
    def fill_disk(connection: sqlite3.Connection, _: object) -> None:
        connection.execute(f"PRAGMA max_page_count = {n_pages}")

    event.listen(Engine, "connect", fill_disk)
    try:
        with pytest.raises(Exception, match=r"database or disk is full") as full:
            ModelRegistry(CONFIG, str(tmp_path / "lake"))
    finally:
        event.remove(Engine, "connect", fill_disk)
    assert exit_code_of(full.value) == 2
    assert not [*(tmp_path / "lake").rglob("*.db")]

    registry = ModelRegistry(CONFIG, str(tmp_path / "lake"))
    with registry.run("training", {"as_of": "2018-11-01"}):
        assert registry.champion_version() is None


def test_what_a_kill_has_left_of_a_store_is_removed(tmp_path: Path) -> None:
    left = tmp_path / "lake" / "mlflow" / "making-x" / "mlflow.db"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"half")
    ModelRegistry(CONFIG, str(tmp_path / "lake"))
    assert [*left.parents[1].iterdir()] == [left.parents[1] / "mlflow.db"]


def test_version_whose_files_are_gone_is_named(store: Path) -> None:
    shutil.rmtree(store.parent / "artifacts")
    registry = ModelRegistry(CONFIG, str(store.parents[1]))
    with pytest.raises(StoreError, match=r"no files of model version 1 in .*: restore them"):
        registry.load("1")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE alembic_version SET version_num = '99999999aaaa'",
        "UPDATE alembic_version SET version_num = '451aebb31d03'",
    ],
)
def test_store_of_another_release_is_refused(store: Path, statement: str) -> None:
    change(store, statement)
    with pytest.raises(StoreError, match=r"can't be opened with MLflow .* the installed release"):
        ModelRegistry(CONFIG, str(store.parents[1]))
    assert StoreError.exit_code == 2


def test_file_that_is_no_store_is_refused(store: Path) -> None:
    store.write_bytes(b"no database at all, but longer than a header of one " * 9)
    with pytest.raises(StoreError, match=r"can't be opened"):
        ModelRegistry(CONFIG, str(store.parents[1]))


def test_experiment_that_was_deleted_is_named_with_a_way_out(store: Path) -> None:
    change(store, "UPDATE experiments SET lifecycle_stage = 'deleted' WHERE name = 'churn'")
    with pytest.raises(StoreError, match=r"experiment churn deleted.*mlflow experiments restore"):
        ModelRegistry(CONFIG, str(store.parents[1]))


def write_read_only(store: Path) -> None:
    engine = create_engine(f"sqlite:///file:{store}?mode=ro&uri=true")
    with opening(f"sqlite:///{store}"), engine.begin() as connection:
        connection.execute(text("update experiments set name = 'other'"))


def test_what_the_machine_refuses_is_not_put_down_to_the_release(store: Path) -> None:
    with pytest.raises(OperationalError, match="readonly"):
        write_read_only(store)
