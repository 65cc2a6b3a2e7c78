"""What a decision is called where there is room for a few words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_KINDS: Final[Mapping[str, str]] = {
    "retrain": "retrain the model",
    "hold": "retraining held back",
    "keep": "keep the model",
    "promote": "new model in use",
    "reject": "new model rejected",
    "roll_back": "previous model back in use",
    "calibrate": "new drift thresholds",
    "order": "order of the list",
}
"""Kind of a decision -> its name; an unknown kind keeps its own."""

_RULES: Final[Mapping[tuple[str, str], str]] = {
    ("promote", "first"): "first model in use",
    ("promote", "human"): "other model chosen by a person",
    ("keep", "released"): "retraining released by a person",
    ("hold", "data_checks"): "drift not judged",
    ("hold", "too_few_rows"): "drift not judged",
    ("hold", "frozen"): "drift thresholds unchanged",
}
"""Kind and rule of decisions that are called otherwise."""


def name_decision(kind: str, rule: str) -> str:
    """`keep the model`, `first model in use`."""
    return _RULES.get((kind, rule), _KINDS.get(kind, kind))
