"""Searches of long ago are forgotten with their trials, but not those that something needs."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import optuna
import pytest
from serving_builders import make_bundle

from churn_spark.config import TuningConfig, load_config
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.models.registry import ModelRegistry
from churn_spark.models.search.search import open_study
from churn_spark.models.search.studies import REGISTERED, storage_url
from churn_spark.monitoring.data_quality.checks import CheckResult
from churn_spark.pipeline import maintain
from churn_spark.pipeline.forget_searches import forget_searches
from churn_spark.stores.checks import write_checks
from tests.local_lakehouse import open_local

TUNING = load_config().tuning
NIGHT = date(2018, 12, 1)
DAYS = 30
OLD = NIGHT - timedelta(days=DAYS + 1)


@pytest.fixture
def lakehouse(tmp_path: Path) -> Lakehouse:
    return open_local(tmp_path)


def add_search(
    lakehouse: Lakehouse, registry: ModelRegistry, name: str, day: date | None
) -> optuna.Study:
    """A search with two trials in its store, and as runs inside its own run."""
    study = open_study(storage_url(TUNING, lakehouse.root), name, {"num_leaves": 3})
    tags = {"study": name} | ({"date": str(day)} if day else {})
    with registry.run("tune_model", tags):
        for number in range(2):
            trial = study.ask()
            with registry.run(f"trial {number}", {}, is_nested=True):
                study.tell(trial, 1.0)
    return study


def forget(lakehouse: Lakehouse, registry: ModelRegistry, night: date = NIGHT) -> int:
    return forget_searches(lakehouse, registry, TUNING, night, DAYS)


def kept(lakehouse: Lakehouse) -> set[str]:
    return set(optuna.get_all_study_names(storage_url(TUNING, lakehouse.root)))


def n_logged(registry: ModelRegistry) -> int:
    return len(registry.logged_runs().find(""))


def test_old_searches_are_forgotten_with_their_trials(
    lakehouse: Lakehouse, registry: ModelRegistry, capsys: pytest.CaptureFixture[str]
) -> None:
    write_checks(lakehouse, NIGHT, [CheckResult("rows", 1.0, "", True, "")])
    for name, day in (("old", OLD), ("late", OLD + timedelta(days=1)), ("newest", NIGHT)):
        add_search(lakehouse, registry, name, day)
    assert n_logged(registry) == 9
    config = load_config(overrides=[f"maintenance.keep_models_days={DAYS}"])
    maintain.run(lakehouse, registry, config.maintenance, config.tuning)
    assert "1 old search forgotten" in capsys.readouterr().out
    assert kept(lakehouse) == {"late", "newest"}
    assert n_logged(registry) == 6
    assert forget(lakehouse, registry) == 0


def test_newest_search_can_be_resumed_however_old(
    lakehouse: Lakehouse, registry: ModelRegistry
) -> None:
    for days in (1, 0, 2):
        add_search(lakehouse, registry, f"{days} before", OLD - timedelta(days=days))
    assert forget(lakehouse, registry) == 2
    assert kept(lakehouse) == {"0 before"}


def test_search_that_is_gone_on_with_is_as_new_as_its_last_run(
    lakehouse: Lakehouse, registry: ModelRegistry
) -> None:
    for name, day in (("resumed", OLD), ("resumed", NIGHT), ("newest", NIGHT)):
        add_search(lakehouse, registry, name, day)
    assert forget(lakehouse, registry) == 0
    assert n_logged(registry) == 9


def test_search_stays_while_its_model_is_registered(
    lakehouse: Lakehouse, registry: ModelRegistry
) -> None:
    with registry.run("lightgbm", {}) as run_id:
        version = registry.register(make_bundle(rounds=2), run_id, {})
    for name, of in (("found", version), ("forgotten", "99")):
        study = add_search(lakehouse, registry, name, OLD)
        study.set_user_attr(REGISTERED, {"trial": 1, "version": of})
    add_search(lakehouse, registry, "newest", NIGHT)
    assert forget(lakehouse, registry) == 1
    assert kept(lakehouse) == {"found", "newest"}
    # Of each of the two searches three, and the model's.
    assert n_logged(registry) == 7


def test_search_of_an_earlier_release_is_as_old_as_its_run(
    lakehouse: Lakehouse, registry: ModelRegistry
) -> None:
    today = datetime.now(UTC).date()
    add_search(lakehouse, registry, "undated", None)
    add_search(lakehouse, registry, "newest", today + timedelta(days=1))
    assert forget(lakehouse, registry, today + timedelta(days=DAYS)) == 0
    assert forget(lakehouse, registry, today + timedelta(days=DAYS + 1)) == 1
    assert kept(lakehouse) == {"newest"}


def test_forgetting_that_was_killed_is_finished(
    lakehouse: Lakehouse, registry: ModelRegistry
) -> None:
    for name, day in (("old", OLD), ("newest", NIGHT)):
        add_search(lakehouse, registry, name, day)
    optuna.delete_study(study_name="old", storage=storage_url(TUNING, lakehouse.root))
    runs = registry.logged_runs()
    [parent] = runs.find("tags.study = 'old'")
    runs.client.delete_run(parent.info.run_id)
    assert forget(lakehouse, registry) == 1
    assert n_logged(registry) == 3


def test_search_of_another_store_stays(
    lakehouse: Lakehouse, registry: ModelRegistry, tmp_path: Path
) -> None:
    for name, day in (("old", OLD), ("newest", NIGHT)):
        add_search(lakehouse, registry, name, day)
    other = {"storage": f"sqlite:///{tmp_path}/other.db"}
    elsewhere = TuningConfig.model_validate(TUNING.model_dump() | other)
    assert forget_searches(lakehouse, registry, elsewhere, NIGHT, DAYS) == 0
    assert n_logged(registry) == 6


@pytest.mark.parametrize("storage", ["postgresql+nodriver://nowhere/trials", "no address"])
def test_store_of_trials_that_cannot_be_opened_ends_no_night(
    lakehouse: Lakehouse,
    registry: ModelRegistry,
    capsys: pytest.CaptureFixture[str],
    storage: str,
) -> None:
    for name, day in (("old", OLD), ("newest", NIGHT)):
        add_search(lakehouse, registry, name, day)
    elsewhere = TuningConfig.model_validate(TUNING.model_dump() | {"storage": storage})
    assert forget_searches(lakehouse, registry, elsewhere, NIGHT, DAYS) == 0
    assert "1 old search left for the next time" in capsys.readouterr().err
    assert n_logged(registry) == 6
