"""The models that order lists, in MLflow: a run for each night that has fitted one."""

from __future__ import annotations

from datetime import date

from churn_spark.models.registry import ModelRegistry
from churn_spark.models.uplift.model import UpliftModel

_FILE = "uplift.json"
_NAME = "uplift"


def keep_uplift(registry: ModelRegistry, model: UpliftModel) -> None:
    """Log the model of a night; that of the same night is replaced."""
    registry.keep_text(_NAME, _tags(model.as_of), _FILE, model.to_json())


def load_uplift(registry: ModelRegistry, night: date) -> UpliftModel | None:
    """The model of a night; none if there is none, or it knows other feature definitions."""
    text = registry.read_text(_tags(night), _FILE)
    model = UpliftModel.from_json(text) if text is not None else None
    return model if model is not None and model.knows_definitions else None


def _tags(night: date) -> dict[str, str]:
    return {"as_of": str(night), "configuration": _NAME}
