"""Trainings and searches by hand, killed and run again: one model, and one set of its scores."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from local_lakehouse import open_local
from serving_builders import make_bundle

from churn_spark.config import load_config
from churn_spark.contracts.tables import EVENTS, SESSION_DAYS, TRANSITIONS, VALIDATION_SCORES
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.models.registry import UNDER_WAY, ModelRegistry
from churn_spark.models.search.tuning import Choice
from churn_spark.pipeline import fit, snapshots, train, tune
from churn_spark.pipeline.dates import LogDates
from churn_spark.pipeline.training_data import TrainingData
from churn_spark.timeline import LogSpan

DAY = date(2018, 12, 1)
LOG = LogDates(LogSpan(date(2018, 10, 1), DAY), DAY)
LEARNING = load_config().learning
CHOICE = cast(Choice, SimpleNamespace(candidate=SimpleNamespace(parameters={"lambda_l2": 3.0})))


class CutOff(BaseException):
    """Ends a training as a kill would: nothing in the project catches it."""


@dataclass
class Place:
    """A lakehouse and its registry, and one training there, of whatever kind."""

    lakehouse: Lakehouse
    registry: ModelRegistry
    train: Callable[[Place], str]

    def cut_off_at(self, name: str, call: int, monkeypatch: pytest.MonkeyPatch) -> None:
        """Train, and die at a call of one of the steps that keep the model."""
        owner: Any = ModelRegistry if hasattr(ModelRegistry, name) else fit
        step, calls = getattr(owner, name), iter(range(1, 10))

        def die(*arguments: Any) -> Any:
            if next(calls) == call:
                raise CutOff
            return step(*arguments)

        with monkeypatch.context() as patched:
            patched.setattr(owner, name, die)
            with pytest.raises(CutOff):
                self.train(self)

    @property
    def scored_runs(self) -> set[str]:
        """Runs that validation scores are kept of."""
        return {row.run_id for row in self.lakehouse.collect_rows(VALIDATION_SCORES)}

    @property
    def runs(self) -> set[str]:
        return {*self.registry.find_runs({"as_of": str(DAY)})}

    @property
    def waiting(self) -> str | None:
        return self.registry.state().challenger


def train_by_hand(place: Place) -> str:
    return train.run(place.lakehouse, place.registry, DAY, LEARNING, LOG)


def train_chosen(place: Place) -> str:
    data = cast(TrainingData, DATA)
    found, _ = tune.register_chosen(place.lakehouse, place.registry, DAY, data, CHOICE, LEARNING)
    return found


FITTED = SimpleNamespace(
    evaluation=None,
    reg_param=1.0,
    class_weight=1.0,
    rounds=SimpleNamespace(rounds=2, reason=""),
    calibration=SimpleNamespace(calibration=SimpleNamespace(kind="none"), reason=""),
)
DATA = SimpleNamespace(
    log=LOG,
    described=None,
    encoding=SimpleNamespace(fingerprint="f"),
    n_rows={},
    n_positive={},
    changed=None,
    release=lambda: None,
)


def open_registry(folder: Path) -> ModelRegistry:
    config = load_config(overrides=[f"lakehouse={folder}"])
    return ModelRegistry(config.registry, config.lakehouse)


@pytest.fixture(scope="module")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an MLflow store, which takes seconds to lay out."""
    folder = tmp_path_factory.mktemp("empty")
    open_registry(folder)
    return folder / "mlflow"


@pytest.fixture(params=[train_by_hand, train_chosen])
def place(
    request: pytest.FixtureRequest,
    empty_store: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Place:
    """Nothing is learnt there, but models are kept as any other."""
    shutil.copytree(empty_store, tmp_path / "mlflow")
    lakehouse = open_local(tmp_path)
    for spec in (EVENTS, SESSION_DAYS, TRANSITIONS, VALIDATION_SCORES):
        lakehouse.create(spec)
    for owner in (train, tune):
        monkeypatch.setattr(owner, "fit", lambda *_: (FITTED, FITTED))
        monkeypatch.setattr(owner, "describe_evaluation", lambda *_: "")
    monkeypatch.setattr(train, "refuse_ahead", lambda *_: None)
    monkeypatch.setattr(snapshots, "run_stale", lambda *_: None)
    monkeypatch.setattr(train, "label_snapshots", lambda *_: ())
    monkeypatch.setattr(train, "prepare", lambda *_: DATA)
    monkeypatch.setattr(train, "count_gap_cancels", lambda *_: 0)
    monkeypatch.setattr(fit, "build_bundle", lambda *_: make_bundle(rounds=2))
    monkeypatch.setattr(fit, "with_checked_curves", lambda _, bundle, *__: bundle)
    monkeypatch.setattr(fit, "log_family", lambda *_: {})
    monkeypatch.setattr(fit, "publish", lambda *_: None)
    monkeypatch.setattr(train, "publish", lambda *_: None)

    def build_scores(_: object, run_id: str, family: str) -> list[tuple[Any, ...]]:
        return [(run_id, family, DAY, "u", 0, 0.5, "true negative")]

    monkeypatch.setattr(fit, "build_validation_scores", build_scores)
    return Place(lakehouse, open_registry(tmp_path), request.param)


KILLS = [
    ("keep_scores", 2),
    ("register", 1),
    ("assign_alias", 1),
    ("publish", 1),
    ("note_done", 1),
]


@pytest.mark.parametrize(("name", "call"), KILLS)
def test_training_that_was_killed_leaves_one_model_and_its_scores(
    place: Place, monkeypatch: pytest.MonkeyPatch, name: str, call: int
) -> None:
    place.cut_off_at(name, call, monkeypatch)
    assert place.train(place) == "1"
    assert (place.registry.champion_version(), place.waiting) == ("1", None)
    assert place.scored_runs == place.runs
    assert len(place.runs) == 2
    assert place.registry.find_runs(UNDER_WAY) == []


def test_model_says_nothing_of_being_under_way(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.cut_off_at("assign_alias", 1, monkeypatch)
    assert not UNDER_WAY.keys() & place.registry.trained_on("1").keys()


@pytest.mark.parametrize("place", [train_by_hand], indirect=True)
def test_training_on_purpose_after_one_that_has_ended_makes_another_model(place: Place) -> None:
    assert [place.train(place) for _ in range(3)] == ["1", "2", "3"]
    assert (place.registry.champion_version(), place.waiting) == ("1", "3")
    assert len(place.scored_runs) == 6


@pytest.mark.parametrize("place", [train_by_hand], indirect=True)
@pytest.mark.parametrize(("name", "call"), KILLS)
def test_second_training_that_was_killed_leaves_the_first_as_it_was(
    place: Place, monkeypatch: pytest.MonkeyPatch, name: str, call: int
) -> None:
    place.train(place)
    first = place.runs
    place.cut_off_at(name, call, monkeypatch)
    assert place.train(place) == "2"
    assert (place.registry.champion_version(), place.waiting) == ("1", "2")
    assert first < place.runs == place.scored_runs
    assert len(place.runs) == 4


@pytest.mark.parametrize("place", [train_by_hand], indirect=True)
@pytest.mark.parametrize("name", ["register", "assign_alias"])
def test_night_goes_on_with_a_training_by_hand_that_was_killed(
    place: Place, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    place.cut_off_at(name, 1, monkeypatch)
    found = train.resume(place.lakehouse, place.registry, DAY, LEARNING)
    assert found == (None if name == "register" else "1")
    assert place.scored_runs == place.runs
    assert place.registry.find_runs(UNDER_WAY) == []
    # What the night has done is no interrupted training of anybody.
    assert place.train(place) == ("1" if found is None else "2")


@pytest.mark.parametrize("place", [train_chosen], indirect=True)
def test_choice_that_is_registered_is_not_registered_again(place: Place) -> None:
    assert [place.train(place) for _ in range(2)] == ["1", "1"]
    assert len(place.scored_runs) == 2
    assert (place.registry.champion_version(), place.waiting) == ("1", None)
