"""What each feature is about: features of one topic say nearly the same, and are told as one."""

from __future__ import annotations

from typing import Final

from churn_spark.contracts.features.feature import Feature
from churn_spark.contracts.features.parts import LEVEL, PAGE_PARTS, VISITS
from churn_spark.contracts.features.sources import PAGE_COUNTS

SCORE, SCORE_FEATURE = "score", "behaviour_probability"
"""What another model has concluded of everything, which is no reason: topic and feature."""

_MOVEMENT, _PAUSE, _HOURS, _BILLING = "movement", "pause", "hours", "billing_day"
_BY_NAME: Final = {
    SCORE_FEATURE: SCORE,
    "fading_probability": SCORE,
    "visits_a_week": VISITS.name,
    "avg_songs_per_session": "endings",
    "thumbs_up_share": "thumbs_down",
    "exposure_days": "tenure",
    "tenure_days": "tenure",
    "mean_gap_days": VISITS.name,
}
_BY_FORMULA: Final = {
    "trend": _MOVEMENT,
    "slope": _MOVEMENT,
    "spread": _MOVEMENT,
    "surprise": _MOVEMENT,
    "own_pace": _MOVEMENT,
    "slowdown": _MOVEMENT,
    "silence": _PAUSE,
    "pause_survival": _PAUSE,
    "relative_gap": _PAUSE,
    "hours_since": _PAUSE,
    "gap_spread": "regularity",
    "longest": "regularity",
    "cycle": _BILLING,
    "cycle_ahead": _BILLING,
    "cycle_begins": _BILLING,
}
_BY_SOURCE: Final = {
    **dict.fromkeys(("n_sessions", "n_active_days", "n_songs", "listened_micros"), VISITS.name),
    **dict.fromkeys(("n_weekend_sessions", "n_morning_sessions", "n_evening_sessions"), _HOURS),
    **dict.fromkeys(("level", "n_paid_days", "n_level_changes", "level_changed_ts"), LEVEL),
    **{
        column: part.name
        for column, page in PAGE_COUNTS.items()
        for part in PAGE_PARTS
        if page in part.pages and column != "n_songs"
    },
}


def topic_of(feature: Feature) -> str:
    """The topic of a feature: its own name where no other feature is about the same."""
    definition = feature.definition
    return (
        _BY_NAME.get(feature.name)
        or _BY_FORMULA.get(str(definition.get("aggregate", "")))
        or _BY_SOURCE.get(str(definition.get("source", "")))
        or feature.name
    )
