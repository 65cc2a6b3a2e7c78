"""The service reads the champion that was published, wherever the lakehouse lies."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from champion_builders import publish
from serving_builders import add_behaviour, make_bundle, make_config, make_rows

from churn_spark.config import Config
from churn_spark.contracts.champion import CHECK_ROWS, POINTER
from churn_spark.errors import ChampionError, NoChampionError
from churn_spark.models.bundle import ModelBundle
from churn_spark.serving.champion import ChampionWatch
from churn_spark.serving.published import PublishedChampion

OLD, NEW = make_bundle(seed=0), add_behaviour(make_bundle(seed=50))


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Config:
    """A lakehouse with its second champion."""
    config = make_config(tmp_path_factory.mktemp("written"))
    publish(config, OLD, "1")
    publish(config, NEW, "2")
    return config


def copy_of(config: Config, lakehouse: Path) -> Config:
    shutil.copytree(config.lakehouse, lakehouse)
    return make_config(lakehouse)


def load(config: Config) -> ModelBundle:
    source = PublishedChampion(config.lakehouse)
    return source.load(source.newest())


def watch_of(config: Config) -> ChampionWatch:
    return ChampionWatch(PublishedChampion(config.lakehouse), config.scoring)


def model_folder(config: Config) -> Path:
    folder = PublishedChampion(config.lakehouse).newest().folder
    return Path(config.lakehouse) / "champion" / folder


def test_bundle_comes_back_as_it_was_published(written: Config) -> None:
    found = load(written)
    assert (found.version, found.metrics["roc_auc"]) == ("2", 0.71)
    pd.testing.assert_frame_equal(found.baseline, NEW.baseline.head(CHECK_ROWS))
    rows = make_rows(50, seed=9)
    assert (found.probabilities(rows) == NEW.probabilities(rows)).all()
    assert found.behaviour is not None
    assert found.behaviour.log_start == date(2018, 10, 1)


@pytest.mark.parametrize("name", ["elsewhere", "a b#c?d%20=&é"])
def test_lakehouse_that_has_moved_is_read_where_it_is(
    written: Config, tmp_path: Path, name: str
) -> None:
    watch = watch_of(copy_of(written, tmp_path / name))
    watch.look()
    assert (watch.problem, watch.current().bundle.version) == ("", "2")


def test_relative_lakehouse_is_read(written: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    lakehouse = Path(written.lakehouse)
    monkeypatch.chdir(lakehouse.parent)
    assert load(make_config(Path(lakehouse.name))).version == "2"


@pytest.mark.parametrize("there_is_a_lakehouse", [True, False])
def test_where_nothing_is_published_it_says_so_and_makes_nothing(
    tmp_path: Path, there_is_a_lakehouse: bool
) -> None:
    lakehouse = tmp_path / "lakehouse"
    if there_is_a_lakehouse:
        lakehouse.mkdir()
    with pytest.raises(
        NoChampionError, match=r"no champion is published in .*: run `nightly`"
    ) as caught:
        PublishedChampion(str(lakehouse)).newest()
    assert caught.value.exit_code == 2
    assert [*tmp_path.rglob("*")] == [lakehouse] * there_is_a_lakehouse


def test_model_of_other_features_does_not_answer(tmp_path: Path) -> None:
    config = make_config(tmp_path)
    publish(config, replace(OLD, encoding=replace(OLD.encoding, fingerprint="other")), "1")
    watch = watch_of(config)
    watch.look()
    assert watch.predictor is None
    assert "trained on feature definitions other, expected" in watch.problem


def test_file_that_is_missing_or_another_is_refused(written: Config, tmp_path: Path) -> None:
    here = copy_of(written, tmp_path / "here")
    trees = model_folder(here) / "trees.txt"
    trees.write_bytes(trees.read_bytes()[:-1])
    with pytest.raises(ChampionError, match=r"another content in champion/2-\w+/trees.txt"):
        load(here)
    trees.unlink()
    with pytest.raises(ChampionError, match=r"no file champion/2-\w+/trees.txt"):
        load(here)


@pytest.mark.parametrize("text", ["", "{", '{"version": "1"}', "[1]"])
def test_pointer_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    pointer = tmp_path / POINTER
    pointer.parent.mkdir()
    pointer.write_text(text)
    with pytest.raises(ChampionError, match="found no pointer to a champion"):
        PublishedChampion(str(tmp_path)).newest()


def test_it_writes_nothing(written: Config) -> None:
    folder = Path(written.lakehouse)
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    load(written)
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


def test_service_answers_without_loading_mlflow(written: Config) -> None:
    code = (
        "import json, sys, jobs.serve\n"
        "from churn_spark.config import load_config\n"
        "from churn_spark.serving.champion import ChampionWatch\n"
        "from churn_spark.serving.published import PublishedChampion\n"
        "watch = ChampionWatch(PublishedChampion(sys.argv[1]), load_config().scoring)\n"
        "watch.look()\n"
        "watch.current()\n"
        "heavy = {'mlflow', 'pyspark', 'sqlalchemy', 'optuna'}\n"
        "print(json.dumps(sorted(heavy & set(sys.modules))))"
    )
    command = [sys.executable, "-c", code, written.lakehouse]
    said = subprocess.run(command, check=True, capture_output=True, text=True)
    assert json.loads(said.stdout) == []


def test_asked_to_stop_it_ends_without_a_failure(written: Config) -> None:
    command = [sys.executable, "-m", "jobs.serve", "--port", "0"]
    environment = {**os.environ, "LAKEHOUSE": written.lakehouse}
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        said = next(line for line in process.stderr if "answers now" in line)
        process.send_signal(signal.SIGTERM)
        assert process.wait(15) == 0, said
