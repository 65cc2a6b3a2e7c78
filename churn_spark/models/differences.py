"""How a model differs from what is configured: why it can't be used, or compared, tonight."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from churn_spark.config import LearningConfig
from churn_spark.contracts.features.spec import fingerprint
from churn_spark.models.bundle import ModelBundle

_USUAL_LABEL: Final[dict[str, str | int]] = {"churn": "cancel", "grace_days": 0}
"""What a definition of a label leaves out."""


@dataclass(frozen=True)
class Differences:
    """What differs, in words; nothing: the model may be used and compared.

    Attributes:
        settings: of the label and of who was held out, which somebody has set: a model of one
            setting says nothing of another's question.
        definitions: of the features, which come with the code; empty where they are the same.
    """

    settings: tuple[str, ...] = ()
    definitions: str = ""

    def __bool__(self) -> bool:
        return bool(self.settings or self.definitions)

    def __str__(self) -> str:
        return "; ".join([*self.settings, *([self.definitions] if self.definitions else [])])


def find_differences(bundle: ModelBundle, config: LearningConfig) -> Differences:
    """How the model differs from what is configured, and from the features in use."""
    return Differences(tuple(_settings(bundle, config)), _definitions(bundle))


def held_out(config: LearningConfig) -> dict[str, float]:
    """What decides who is in no fit: with others, a comparison is on users that one has learnt."""
    return config.training.model_dump(include={"seed", "validation_share"})


def _settings(bundle: ModelBundle, config: LearningConfig) -> Iterator[str]:
    learnt, asked = _USUAL_LABEL | dict(bundle.label), _USUAL_LABEL | config.labels.definition
    for name, value in asked.items():
        yield from _unlike(f"labels.{name}", learnt[name], value)
    for name, configured in held_out(config).items():
        # A model of an older release doesn't say.
        yield from _unlike(f"training.{name}", bundle.held_out.get(name, configured), configured)


def _unlike(key: str, found: object, configured: object) -> Iterator[str]:
    if found != configured:
        yield f"it was trained with {key} {found}, configured is {configured}"


def _definitions(bundle: ModelBundle) -> str:
    if bundle.knows_definitions:
        return ""
    return (
        f"it was trained on feature definitions {bundle.encoding.fingerprint}, in use are "
        f"{fingerprint(bundle.features)}"
    )
