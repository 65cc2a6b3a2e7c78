"""The aliases of the registry: who is champion, who waits, and who never gets one."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

from list_builders import small_bundle
from serving_builders import make_bundle

from churn_spark.config import load_config
from churn_spark.models.registry import ModelRegistry
from churn_spark.models.uplift.model import UpliftModel, uplift_encoding
from churn_spark.models.uplift.response import Response
from churn_spark.models.uplift.store import keep_uplift, load_uplift


def test_aliases_say_who_serves_and_who_waits(tmp_path: Path) -> None:
    config = load_config(overrides=[f"lakehouse={tmp_path}"])
    registry = ModelRegistry(config.registry, config.lakehouse)
    bundle = make_bundle(rounds=2)

    def register(**tags: str) -> str:
        with registry.run("lightgbm", {"as_of": "2018-11-30", **tags}) as run_id:
            return registry.register(bundle, run_id, {})

    # Not even where there is no other.
    assert registry.assign_alias(register(is_retrospective="True")) is None
    assert registry.state().champion is None
    first, second, third = (register(is_retrospective="False") for _ in range(3))
    assert registry.assign_alias(first) == "champion"
    assert registry.assign_alias(second) == "challenger"
    assert registry.state().challenger == second
    # Another one promoted: the second goes on waiting.
    registry.set_champion(third, "step")
    assert (registry.state().champion, registry.state().challenger) == (third, second)
    registry.drop_challenger(first)
    assert registry.state().challenger == second
    registry.set_champion(second, "step")
    assert (registry.state().champion, registry.state().challenger) == (second, None)
    assert registry.assign_alias(register(is_retrospective="True")) is None
    assert registry.state().challenger is None


def test_model_of_a_night_is_kept_once_replaced_and_forgotten(tmp_path: Path) -> None:
    config = load_config(overrides=[f"lakehouse={tmp_path}"])
    registry = ModelRegistry(config.registry, config.lakehouse)
    night = date(2026, 3, 23)
    encoding = uplift_encoding(small_bundle().encoding)
    model = UpliftModel(night, "spring", 0.1, encoding, Response(-0.2), Response(0.1), 0.05)
    assert load_uplift(registry, night) is None
    for _ in range(2):
        keep_uplift(registry, model)
    keep_uplift(registry, replace(model, as_of=date(2026, 3, 30)))
    assert load_uplift(registry, night) == model
    assert len(registry.trainings().read(None)) == 2
    # The night done again on other data leaves another model, and one only.
    keep_uplift(registry, replace(model, leaves_alone=True))
    assert load_uplift(registry, night) == replace(model, leaves_alone=True)
    assert len(registry.trainings().read(None)) == 2
    keep_uplift(registry, replace(model, encoding=replace(encoding, fingerprint="other")))
    assert load_uplift(registry, night) is None
    # It goes with the trainings of its time, and is no version of the champion's model.
    registry.trainings().forget(date(2026, 3, 25), set())
    assert [tags["as_of"] for tags in registry.trainings().read(None)] == ["2026-03-30"]
    assert registry.champion_version() is None
