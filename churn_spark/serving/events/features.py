"""A user's history -> the features of a snapshot, by the formulas of their declarations."""

from __future__ import annotations

from collections.abc import Iterable

from churn_spark.contracts.features.spec import SNAPSHOT_FEATURES, LogFeature
from churn_spark.serving.events.days import History
from churn_spark.serving.events.past import PlainPast, Value

__all__ = ["Value", "compute_features"]


def compute_features(
    history: History, features: Iterable[LogFeature] = SNAPSHOT_FEATURES
) -> dict[str, Value]:
    """The features, by name; None where one isn't known."""
    past = PlainPast(history)
    return {feature.name: _compute(feature, past) for feature in features}


def _compute(feature: LogFeature, past: PlainPast) -> Value:
    value = feature.formula.value(past).value
    if value is None or isinstance(value, str):
        return value
    return int(value) if feature.data_type == "long" else float(value)
