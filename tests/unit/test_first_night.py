"""The first night, interrupted and run again: registry, decision and state name one version."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, cast

import pytest
from local_lakehouse import open_local
from nights import QUIET, decided, night
from serving_builders import make_bundle

from churn_spark.config import load_config
from churn_spark.contracts.registry_state import RegistryState
from churn_spark.contracts.tables import EVENTS
from churn_spark.errors import OtherModelError
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.models.bundle import ModelBundle
from churn_spark.models.registry import CHALLENGER, CHAMPION, UNDER_WAY, ModelRegistry
from churn_spark.monitoring.policy.history import Entry
from churn_spark.monitoring.policy.policy import start_policy
from churn_spark.pipeline import night as nightly
from churn_spark.pipeline import train
from churn_spark.pipeline.dates import LogDates
from churn_spark.pipeline.fit import training_key
from churn_spark.pipeline.gather import Night, read_night, settle
from churn_spark.stores.decisions import read_entries, write_night
from churn_spark.timeline import LogSpan

CONFIG = load_config().night
DAY = night(0)
LOG = LogDates(LogSpan(night(-60), DAY), DAY)


class CutOff(BaseException):
    """Ends a night as a kill would: nothing in the project catches it."""


def cut_off(*_: object) -> None:
    raise CutOff


@dataclass
class Models:
    """As much of a registry as a first night asks for."""

    trained: list[dict[str, str]] = field(default_factory=list)
    aliases: dict[str, str] = field(default_factory=dict)
    step: str = ""
    bundle: ModelBundle = field(default_factory=make_bundle)

    def find(self, tags: dict[str, str]) -> str | None:
        found = [n for n, one in enumerate(self.trained, start=1) if tags.items() <= one.items()]
        return str(max(found)) if found else None

    def note_done(self, tags: dict[str, str]) -> None:
        for one in self.trained:
            if tags.items() <= one.items():
                for name in UNDER_WAY:
                    one.pop(name, None)

    def find_runs(self, _: dict[str, str]) -> list[str]:
        return []

    def trained_on(self, version: str) -> dict[str, str]:
        return self.trained[int(version) - 1]

    def trained_as_of(self, version: str) -> date:
        return date.fromisoformat(self.trained_on(version)["as_of"])

    def load(self, _: str) -> ModelBundle:
        return self.bundle

    def champion_version(self) -> str | None:
        return self.aliases.get(CHAMPION)

    def assign_alias(self, version: str) -> None:
        self.aliases[CHALLENGER if CHAMPION in self.aliases else CHAMPION] = version

    def set_champion(self, version: str, step: str) -> None:
        waiting = self.aliases.get(CHALLENGER)
        self.aliases = {CHAMPION: version}
        if waiting not in (None, version):
            self.aliases[CHALLENGER] = str(waiting)
        self.step = step

    def state(self) -> RegistryState:
        champion = self.champion_version()
        if champion is None:
            return RegistryState()
        return RegistryState(champion, self.step, DAY, self.aliases.get(CHALLENGER))


@dataclass
class Place:
    """A lakehouse whose first model is trained on one night."""

    lakehouse: Lakehouse
    models: Models

    @property
    def registry(self) -> ModelRegistry:
        return cast(ModelRegistry, self.models)

    def train(self, *overrides: str, waits: bool = True) -> str:
        learning = load_config(overrides=overrides).learning
        self.models.trained.append(training_key(self.lakehouse, DAY, learning))
        version = str(len(self.models.trained))
        if waits:
            self.models.assign_alias(version)
        return version

    def bring_events(self) -> None:
        """The next version of the events."""
        self.lakehouse.replace_rows([], EVENTS, {})

    def run(self) -> Night:
        known = read_night(self.lakehouse, self.registry, DAY, LOG)
        known = settle(self.lakehouse, self.registry, known, CONFIG.policy)
        if not known.is_first:
            return known
        return nightly.train_first(self.lakehouse, self.registry, known, CONFIG)

    def named(self, known: Night) -> set[str | None]:
        """All versions that anything calls the first champion."""
        [first] = read_entries(self.lakehouse)
        assert (first.decision.rule, first.decision.night) == ("first", DAY)
        assert first.after == start_policy(str(first.decision.version), DAY, CONFIG.policy)
        assert self.models.step == first.step
        return {known.champion, first.decision.version, self.models.champion_version()}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    lakehouse = open_local(tmp_path)
    lakehouse.create(EVENTS)
    found = Place(lakehouse, Models())

    def train_one(*_: Any, waits: bool = True) -> str:
        return found.train(waits=waits)

    monkeypatch.setattr(train, "train", train_one)
    monkeypatch.setattr(train, "publish", lambda *_: None)
    return found


def interrupt(place: Place, monkeypatch: pytest.MonkeyPatch, owner: Any, name: str) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(owner, name, cut_off)
        with pytest.raises(CutOff):
            place.run()


def test_undisturbed_night_names_its_model(place: Place) -> None:
    assert place.named(place.run()) == {"1"}
    assert place.models.aliases == {CHAMPION: "1"}


def test_champion_whose_training_was_interrupted_is_the_nights_from_then_on(place: Place) -> None:
    place.train()
    place.models.trained[0].update(UNDER_WAY)
    assert place.named(place.run()) == {"1"}
    assert place.registry.find(dict(UNDER_WAY)) is None


@pytest.mark.parametrize("comes_once_more", [False, True])
def test_night_cut_off_before_its_decision_learns_from_events_that_have_come_since(
    place: Place, monkeypatch: pytest.MonkeyPatch, comes_once_more: bool
) -> None:
    interrupt(place, monkeypatch, nightly, "store_decisions")
    assert place.models.aliases == {CHAMPION: "1"}
    place.bring_events()
    # Trained again, and cut off again.
    interrupt(place, monkeypatch, nightly, "store_decisions")
    if comes_once_more:
        place.bring_events()
    expected = "3" if comes_once_more else "2"
    assert place.named(place.run()) == {expected}
    assert place.models.aliases == {CHAMPION: expected}
    assert len(place.models.trained) == int(expected)


def test_night_cut_off_after_its_decision_is_carried_out_by_the_next(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupt(place, monkeypatch, nightly, "store_decisions")
    place.bring_events()
    interrupt(place, monkeypatch, Models, "set_champion")
    assert place.models.champion_version() == "1"
    # What comes now finds a night that is decided.
    place.bring_events()
    assert place.named(place.run()) == {"2"}
    assert place.models.aliases == {CHAMPION: "2"}


def test_night_cut_off_by_an_older_release_puts_its_waiting_model_in_charge(place: Place) -> None:
    place.train()
    place.bring_events()
    place.train()
    assert place.models.aliases == {CHAMPION: "1", CHALLENGER: "2"}
    assert place.named(place.run()) == {"2"}
    assert place.models.aliases == {CHAMPION: "2"}
    [first] = read_entries(place.lakehouse)
    assert first.decision.reason.startswith("version 1 was trained as of the same date, before")


def test_model_that_was_trained_by_hand_with_other_settings_stays(place: Place) -> None:
    place.train("lightgbm.num_leaves=5")
    place.bring_events()
    # A second one waits to be judged.
    place.train()
    assert place.named(place.run()) == {"1"}
    assert place.models.aliases == {CHAMPION: "1", CHALLENGER: "2"}
    assert len(place.models.trained) == 2


def test_model_that_was_trained_by_hand_for_another_label_does_not_serve(place: Place) -> None:
    place.train("labels.horizon_days=10")
    known = read_night(place.lakehouse, place.registry, DAY, LOG)
    assert known.is_first
    config = load_config(overrides=["labels.horizon_days=7"]).night
    with pytest.raises(OtherModelError, match=r"labels\.horizon_days 14, configured is 7"):
        nightly.judge(place.lakehouse, place.registry, known, config)


def test_champion_that_later_nights_stand_on_stays(place: Place) -> None:
    place.train()
    later: Entry = decided(start_policy("1", DAY, CONFIG.policy), QUIET, night(1))
    write_night(place.lakehouse, night(1), [later])
    place.bring_events()
    assert place.run().champion == "1"
    assert read_entries(place.lakehouse)[0].decision.version == "1"
    assert place.models.aliases == {CHAMPION: "1"}
