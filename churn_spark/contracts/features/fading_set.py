"""The feature set `fading`: what the model of fading says of a user as of a date.

It has read when the user came before the date; see `churn_spark/models/fading`.
"""

from __future__ import annotations

from churn_spark.contracts.features.feature import ForecastFeature

FADING_FEATURES: tuple[ForecastFeature, ...] = (
    ForecastFeature(
        "fading_probability",
        "double",
        "cancellation probability in the prediction window, from pauses between visits and billing "
        "days alone",
        "probability",
        "of users whose visits have grown so rare {value} cancel (median: {typical})",
    ),
    ForecastFeature(
        "fading_now",
        "double",
        "probability that the user is losing interest: pauses are longer than this user's used "
        "to be",
        "probability",
        "may be losing interest, judging by longer pauses: {value} (median: {typical})",
        is_risk=True,
    ),
)
