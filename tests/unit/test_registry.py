"""The aliases of the registry: who is champion, who waits, and who never gets one."""

from __future__ import annotations

from pathlib import Path

from serving_builders import make_bundle

from churn_spark.config import load_config
from churn_spark.models.registry import ModelRegistry


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
