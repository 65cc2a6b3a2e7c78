"""The feature set `fading`: what the model of fading says of a user as of a date.

It has read when the user came before the date; see `churn_spark/models/fading`.
"""

from __future__ import annotations

from churn_spark.contracts.features.feature import ForecastFeature

FADING_FEATURES: tuple[ForecastFeature, ...] = (
    ForecastFeature(
        "fading_probability",
        "double",
        "chance to cancel in the label's window, from pauses between visits and billing days alone",
        "probability",
        "of users whose visits have grown so rare {value} cancel (typical: {typical})",
    ),
    ForecastFeature(
        "fading_now",
        "double",
        "chance that the user's interest is fading: pauses have grown longer than their own before",
        "probability",
        "may be losing interest, judging by longer pauses: {value} (typical: {typical})",
        is_risk=True,
    ),
)
