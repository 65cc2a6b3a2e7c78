"""Who may serve a night, who waits to be judged, and who takes over: nothing is trained here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any, cast

import pytest
from local_lakehouse import open_local
from nights import POLICY, QUIET, START, challenger, decided, night
from serving_builders import make_bundle

from churn_spark.config import NightConfig, load_config
from churn_spark.contracts.registry_state import RegistryState
from churn_spark.errors import FingerprintError, OtherModelError
from churn_spark.models.bundle import ModelBundle, bundle_files, bundle_of
from churn_spark.models.differences import find_differences, held_out
from churn_spark.models.registry import ModelRegistry
from churn_spark.monitoring.data_quality.checks import CheckResult
from churn_spark.monitoring.policy.history import (
    Entry,
    champion_at,
    newest_succession,
    replace_night,
    standing_on,
    waiting_challenger,
)
from churn_spark.monitoring.policy.policy import decide
from churn_spark.monitoring.policy.replayed import count_differences
from churn_spark.pipeline.champion import load_champion
from churn_spark.pipeline.dates import LogDates
from churn_spark.pipeline.gather import Night
from churn_spark.pipeline.night import name_left_out
from churn_spark.pipeline.succession import (
    Replacement,
    WaitingChallenger,
    drop_judged,
    find_replacement,
    find_waiting_challenger,
    record_unfit,
    take_over,
)
from churn_spark.stores.checks import write_checks
from churn_spark.stores.decisions import read_entries
from churn_spark.timeline import LogSpan

CONFIG = load_config().night
LEARNING = CONFIG.learning
USUAL = replace(make_bundle(rounds=3), held_out=held_out(LEARNING))


def with_settings(*overrides: str) -> NightConfig:
    return load_config(overrides=list(overrides)).night


def of_other_release(bundle: ModelBundle) -> ModelBundle:
    """A model of features that were called or computed otherwise."""
    encoding = bundle.encoding
    return replace(
        bundle,
        encoding=replace(encoding, features=("gone", *encoding.features[1:]), fingerprint="00aa"),
    )


@dataclass
class Models:
    """As much of a registry as succession asks for."""

    bundles: dict[str, ModelBundle]
    trained: dict[str, date | None]
    champion: str = "1"
    challenger: str | None = None
    step: str = ""
    dropped: list[str] = field(default_factory=list)

    def load(self, version: str) -> ModelBundle:
        return self.bundles[version]

    def trained_on(self, version: str) -> dict[str, str]:
        trained = self.trained[version]
        return {"as_of": str(trained)} if trained else {}

    def trained_as_of(self, version: str) -> date:
        return date.fromisoformat(self.trained_on(version)["as_of"])

    def state(self) -> RegistryState:
        return RegistryState(self.champion, self.step, self.trained["1"], self.challenger)

    def set_champion(self, version: str, step: str) -> None:
        self.champion, self.step = version, step

    def drop_challenger(self, version: str) -> None:
        self.dropped.append(version)


def models(first: ModelBundle = USUAL, second: ModelBundle = USUAL, **more: Any) -> Models:
    """A champion of night 0, and version 2 of night 7."""
    return Models({"1": first, "2": second}, {"1": night(0), "2": night(7)}, **more)


def registry_of(found: Models) -> ModelRegistry:
    return cast(ModelRegistry, found)


def night_of(found: Models, number: int, entries: tuple[Entry, ...] = ()) -> Night:
    log = LogDates(LogSpan(night(-100), night(number)), night(number))
    return Night(night(number), log, entries, found.state())


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("labels.horizon_days=10", "trained with labels.horizon_days 14, configured is 10"),
        ("labels.gap_days=0", "trained with labels.gap_days 1, configured is 0"),
        ("labels.churn=lapse", "trained with labels.churn cancel, configured is lapse"),
        ("training.seed=8", "trained with training.seed 7, configured is 8"),
        ("training.validation_share=0.3", "training.validation_share 0.2, configured is 0.3"),
    ],
)
def test_champion_of_other_settings_is_refused_with_both_ways_on(
    override: str, sentence: str
) -> None:
    registry = registry_of(models())
    assert load_champion(registry, "1", night(3), LEARNING) is USUAL
    with pytest.raises(OtherModelError, match=sentence) as refused:
        load_champion(registry, "1", night(3), with_settings(override).learning)
    assert "Set that back, or train one with `train_model --date 2024-01-04`" in str(refused.value)
    assert refused.value.exit_code == 2
    with pytest.raises(OtherModelError, match=sentence):
        find_replacement(registry, night_of(models(), 3), with_settings(override).learning)


def test_what_decides_nothing_about_the_champion_may_differ() -> None:
    config = with_settings("training.stopping_share=0.5", "lightgbm.num_leaves=5").learning
    assert not find_differences(USUAL, config)
    # An older release has not noted who was held out.
    assert not find_differences(
        replace(USUAL, held_out={}), with_settings("training.seed=8").learning
    )
    files = bundle_files(USUAL, {})
    assert bundle_of(files, "1").held_out == USUAL.held_out
    assert find_differences(replace(USUAL, label={**USUAL.label, "kind": "lifetime"}), LEARNING)


def test_champion_of_lapses_is_refused_with_another_grace() -> None:
    lapse = with_settings("labels.churn=lapse", "labels.grace_days=3").learning
    bundle = replace(USUAL, label=lapse.labels.definition)
    assert not find_differences(bundle, lapse)
    later = with_settings("labels.churn=lapse", "labels.grace_days=7").learning
    assert find_differences(bundle, later).settings == (
        "it was trained with labels.grace_days 3, configured is 7",
    )
    assert find_differences(bundle, LEARNING).settings[0] == (
        "it was trained with labels.churn lapse, configured is cancel"
    )


def test_champion_is_refused_on_dates_before_its_training() -> None:
    registry = registry_of(models())
    assert find_replacement(registry, night_of(models(), 0), LEARNING) is None
    for refuse in (
        lambda: load_champion(registry, "1", night(-1), LEARNING),
        lambda: find_replacement(registry, night_of(models(), -1), LEARNING),
    ):
        with pytest.raises(OtherModelError, match="1 was trained as of 2024-01-01, after"):
            refuse()


def test_lifetime_label_is_no_night() -> None:
    config = with_settings("labels.kind=lifetime").learning
    with pytest.raises(OtherModelError, match=r"found labels\.kind lifetime, expected horizon"):
        load_champion(registry_of(models()), "1", night(3), config)


def test_other_definitions_are_a_vacancy_for_a_successor_that_is_trained() -> None:
    found = models(of_other_release(USUAL))
    replacement = find_replacement(registry_of(found), night_of(found, 3), LEARNING)
    assert replacement is not None
    assert replacement.challenger is None
    assert "trained on feature definitions 00aa, in use are" in replacement.reason
    with pytest.raises(FingerprintError, match="run `nightly`, which trains a new model"):
        load_champion(registry_of(found), "1", night(3), LEARNING)
    later = night_of(found, 3, (decided(START, QUIET, night(4)),))
    with pytest.raises(OtherModelError, match="choose a date after them"):
        find_replacement(registry_of(found), later, LEARNING)


@pytest.mark.parametrize(
    "change", [of_other_release, lambda one: replace(one, held_out={"seed": 9})]
)
def test_successor_that_waits_takes_over_by_a_decision_that_stands(
    change: Callable[[ModelBundle], ModelBundle], tmp_path: Path
) -> None:
    found = models(change(USUAL), challenger="2")
    entries = (decided(START, QUIET, night(6)),)
    tonight = night_of(found, 8, entries)
    replacement = find_replacement(registry_of(found), tonight, LEARNING)
    assert replacement is not None
    assert replacement.challenger == "2"
    lakehouse = open_local(tmp_path)
    after = take_over(lakehouse, registry_of(found), tonight, replacement, CONFIG)
    [entry] = read_entries(lakehouse)
    assert (entry.decision.kind, entry.decision.rule) == ("promote", "replaced")
    assert "version 1 can't be used any more: it was trained" in entry.decision.reason
    assert entry.after is not None
    assert (entry.after.champion, entry.after.previous) == ("2", None)
    assert (found.champion, found.step) == ("2", f"{night(8)}/0/promote/2")
    # A rerun meets the successor and keeps the decision.
    assert after.champion == champion_at(after.entries, found.state(), night(8)) == "2"
    assert standing_on(after.entries, night(8)) == after.entries[-1:]
    assert count_differences(after.entries) == 0
    assert newest_succession(after.entries, night(9)) == night(8)
    assert newest_succession(after.entries, night(7)) is None
    assert find_replacement(registry_of(found), after, LEARNING) is None
    drop_judged(registry_of(found), after)
    assert found.dropped == ["2"]


def test_challenger_that_is_unfit_too_does_not_take_over() -> None:
    gone = of_other_release(USUAL)
    found = models(gone, gone, challenger="2")
    replacement = find_replacement(registry_of(found), night_of(found, 8), LEARNING)
    assert replacement is not None
    assert replacement.challenger is None


def test_take_over_goes_on_waiting_for_a_human(tmp_path: Path) -> None:
    found = models(challenger="2")
    waits = decided(replace(START, waits_for_human="a look"), QUIET, night(6))
    replacement = Replacement("version 1 can't be used any more", "2")
    tonight = night_of(found, 8, (waits,))
    after = take_over(open_local(tmp_path), registry_of(found), tonight, replacement, CONFIG)
    assert after.entries[-1].after is not None
    assert after.entries[-1].after.waits_for_human == "a look"


def test_challenger_waits_until_a_decision_is_about_it() -> None:
    found = models(challenger="2")
    assert find_waiting_challenger(
        registry_of(found), night_of(found, 8), LEARNING
    ) == WaitingChallenger("2")
    # It has learnt what came after this night.
    assert find_waiting_challenger(registry_of(found), night_of(found, 6), LEARNING) is None
    assert find_waiting_challenger(registry_of(models()), night_of(models(), 8), LEARNING) is None
    judged = decided(START, replace(QUIET, challenger=challenger(gain=-0.1)), night(8))
    assert judged.decision.kind == "reject"
    entries = (judged,)
    assert waiting_challenger(entries, found.state(), night(9)) is None
    drop_judged(registry_of(found), night_of(found, 8, entries))
    assert found.dropped == ["2"]


def test_rerun_judges_the_challenger_of_its_night_again() -> None:
    judged = decided(START, replace(QUIET, challenger=challenger()), night(8))
    assert judged.decision.kind == "promote"
    # It is champion by now, and waits no more.
    assert waiting_challenger((judged,), RegistryState("2", "", night(0)), night(8)) == "2"
    # One that the night has asked for and trained itself has never waited.
    asked = decided(START, QUIET, night(8))
    assert asked.after is not None
    assert asked.decision.kind == "retrain"
    own = decided(asked.after, replace(QUIET, challenger=challenger()), night(8))
    entries = replace_night((), night(8), [asked, own])
    assert waiting_challenger(entries, RegistryState("2", "", night(0)), night(8)) is None


@pytest.mark.parametrize(
    ("second", "why"),
    [
        (replace(USUAL, label={**USUAL.label, "kind": "lifetime"}), "labels.kind lifetime"),
        (of_other_release(USUAL), "feature definitions 00aa"),
        (None, "its run has no tag `as_of`"),
    ],
)
def test_challenger_that_cannot_be_compared_is_dropped_by_a_decision(
    second: ModelBundle | None, why: str
) -> None:
    found = models(USUAL, second or USUAL, challenger="2")
    found.trained["2"] = night(7) if second else None
    rival = find_waiting_challenger(registry_of(found), night_of(found, 8), LEARNING)
    assert rival is not None
    entry = record_unfit(night(8), START, rival, POLICY)
    assert (entry.decision.kind, entry.decision.version) == ("reject", "2")
    assert why in entry.decision.reason
    assert count_differences([entry]) == 0
    assert count_differences([replace(entry, after=replace(START, cooldown_days=28))]) == 1
    # A rerun drops the same one again.
    assert waiting_challenger((entry,), RegistryState("1", "", night(0)), night(8)) == "2"


def test_hand_trained_challenger_ends_what_was_asked_for() -> None:
    """As where another scheduler trains what `--ask-only` has asked for."""
    asked, _ = decide(START, QUIET, POLICY, night(7))
    assert asked.pending is not None
    after, decision = decide(asked, replace(QUIET, challenger=challenger()), POLICY, night(8))
    assert (decision.kind, after.pending) == ("promote", None)


def test_nights_that_were_left_out_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lakehouse = open_local(tmp_path)
    name_left_out(lakehouse, night(5))
    for number in (1, 2, 6):
        write_checks(lakehouse, night(number), [CheckResult("volume", 1.0, "", True, "")])
    name_left_out(lakehouse, night(3))
    assert capsys.readouterr().out == ""
    name_left_out(lakehouse, night(5))
    assert "2 nights before this one left out, 2024-01-04, 2024-01-05: nothing" in (
        capsys.readouterr().out
    )
