"""The features, declared once: names, types, meaning and how each comes from what users do.

The snapshot table's schema, the documentation, the models' inputs and the service's requests
derive from these lists. The fingerprint of a model's features is stored with it: a model never
scores features that are computed otherwise.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from churn_spark.contracts.features.activity import ACTIVITY_FEATURES
from churn_spark.contracts.features.asked import Asked
from churn_spark.contracts.features.behaviour_set import BEHAVIOUR_FEATURES
from churn_spark.contracts.features.fading_set import FADING_FEATURES
from churn_spark.contracts.features.feature import Feature, LogFeature
from churn_spark.contracts.features.history import ALWAYS, LATE_ROWS, Need
from churn_spark.contracts.features.report_set import REPORT_FEATURES
from churn_spark.contracts.features.sources import DERIVED_SOURCES, PAGE_COUNTS, PROFILE_FIELDS
from churn_spark.hashing import content_hash

__all__ = [
    "ASKED", "BEHAVIOUR_FEATURES", "DERIVED_SOURCES", "FADING_FEATURES", "FEATURES",
    "FEATURE_SETS", "FORECAST_FEATURES", "PAGE_COUNTS", "PROFILE_FIELDS", "SNAPSHOT_FEATURES",
    "Feature", "LogFeature", "fingerprint", "model_features", "named", "need_to_compare",
]  # fmt: skip

FEATURE_SETS: Final[dict[str, tuple[Feature, ...]]] = {
    "report": REPORT_FEATURES,
    "activity": ACTIVITY_FEATURES,
    "behaviour": BEHAVIOUR_FEATURES,
    "fading": FADING_FEATURES,
}
"""Name of a set that a training can be told to use -> its features."""

SNAPSHOT_FEATURES: Final[tuple[LogFeature, ...]] = REPORT_FEATURES + ACTIVITY_FEATURES
"""What follows from the log alone: the columns of `snapshots`."""

ASKED: Final = Asked.by(feature.formula for feature in SNAPSHOT_FEATURES)
"""The sums and extremes that `snapshots` are made of."""

FORECAST_FEATURES: Final[tuple[Feature, ...]] = (*BEHAVIOUR_FEATURES, *FADING_FEATURES)
"""What follows from the log and the champion's models of behaviour and of fading."""

FEATURES: Final[tuple[Feature, ...]] = (*SNAPSHOT_FEATURES, *FORECAST_FEATURES)
"""All features."""

_BY_NAME: Final = {feature.name: feature for feature in FEATURES}


def model_features(sets: Collection[str], *, use_gender: bool) -> tuple[Feature, ...]:
    """The features of some sets that a model may see, in the order of `FEATURES`.

    Raises:
        KeyError: if there is no such set.
    """
    chosen = {feature.name for name in sets for feature in FEATURE_SETS[name]}
    return tuple(f for f in FEATURES if f.name in chosen and (use_gender or not f.is_sensitive))


def measures_silence(feature: Feature) -> bool:
    """Whether a feature says how long a user has been silent until the date.

    Beside a label of inactivity it would be one silence, measured twice (docs/adr/0054).
    """
    return isinstance(feature, LogFeature) and "last_ts" in Asked.by([feature.formula]).instants


def named(names: Sequence[str]) -> tuple[Feature, ...]:
    """The declarations of some names, in that order; unknown names are left out."""
    return tuple(_BY_NAME[name] for name in names if name in _BY_NAME)


def need_to_compare(name: str) -> Need:
    """What must be there of the log before a feature, or the prediction, can be compared.

    Nothing for what moves by construction: it is shown as it is and never judged. The prediction
    follows from all features.
    """
    feature = _BY_NAME.get(name)
    if feature is None:
        return LATE_ROWS
    return ALWAYS if feature.moves_by_construction else feature.need


def fingerprint(features: Sequence[Feature]) -> str:
    """Short hash of the definitions, in order: equal means "computed the same way"."""
    return content_hash([{**feature.definition} for feature in features])
