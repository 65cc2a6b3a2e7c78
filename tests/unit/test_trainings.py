"""Trainings of long ago are forgotten whole, and those that somebody needs are not."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from mlflow.entities import ViewType
from serving_builders import make_bundle

from churn_spark.config import load_config
from churn_spark.models.registry import ModelRegistry

FIRST = date(2018, 11, 12)


@pytest.fixture
def registry(tmp_path: Path) -> ModelRegistry:
    """Three old trainings and a new one, the first of which is champion; and a backtest."""
    config = load_config(overrides=[f"lakehouse={tmp_path}"])
    found = ModelRegistry(config.registry, config.lakehouse)
    for day in (1, 5, 8, 19):
        train(found, f"2018-11-{day:02}")
    with found.run("backtest", {"as_of": "2018-11-01"}):
        pass
    found.assign_alias("1")
    return found


def train(registry: ModelRegistry, as_of: str) -> None:
    tags = {"as_of": as_of, "configuration": "c", "version_events": "3", "table_events": "t"}
    with registry.run("logistic_regression", tags):
        pass
    with registry.run("lightgbm", tags) as run_id:
        registry.register(make_bundle(rounds=2), run_id, {})


def n_runs(registry: ModelRegistry) -> int:
    return len(registry.logged_runs().find("", ViewType.ALL))


def test_old_trainings_are_forgotten_whole(registry: ModelRegistry, tmp_path: Path) -> None:
    folders = tmp_path / "mlflow" / "artifacts"
    old = registry.run_of("2")
    assert (folders / old).is_dir()
    gone = registry.trainings().forget(FIRST, {"3"})
    assert old in gone
    assert len(gone) == 2
    assert not (folders / old).exists()
    # Of the champion, the one that is needed and the new one both runs; and the backtest.
    assert n_runs(registry) == 7
    for version in ("1", "3", "4"):
        assert registry.load(version).version == version
    assert registry.trainings().forget(FIRST, {"3"}) == []


def test_forgetting_that_was_killed_is_finished(registry: ModelRegistry, tmp_path: Path) -> None:
    old = registry.run_of("2")
    client = registry.logged_runs().client
    client.delete_model_version("churn", "2")
    client.delete_run(old)
    assert old in registry.trainings().forget(FIRST, {"3"})
    assert not (tmp_path / "mlflow" / "artifacts" / old).exists()


def test_model_that_is_forgotten_is_not_found(registry: ModelRegistry) -> None:
    run = registry.run_of("2")
    registry.trainings().forget(FIRST, set())
    assert registry.find({"as_of": "2018-11-05"}) is None
    assert run not in {registry.run_of(version) for version in ("1", "4")}
    with pytest.raises(Exception, match="not found"):
        registry.load("2")


def test_trainings_since_a_date_and_those_in_use_say_what_they_have_read(
    registry: ModelRegistry,
) -> None:
    dates = {tags["as_of"] for tags in registry.trainings().read(FIRST)}
    assert dates == {"2018-11-01", "2018-11-19"}
    assert len(registry.trainings().read(None)) == 8
