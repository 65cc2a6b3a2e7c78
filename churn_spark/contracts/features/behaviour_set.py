"""The feature set `behaviour`: what the behaviour model says of a user as of a date.

It has read the user's page transitions before the date; see `churn_spark/models/behaviour`.
"""

from __future__ import annotations

from churn_spark.contracts.features.feature import ForecastFeature

BEHAVIOUR_FEATURES: tuple[ForecastFeature, ...] = (
    ForecastFeature(
        "behaviour_probability",
        "double",
        "chance to cancel in the label's window, from page transitions and visits alone",
        "probability",
        "of users with such habits {value} cancel (typical: {typical})",
    ),
    ForecastFeature(
        "visits_a_week",
        "double",
        "expected visits a week, the user's own so far weighed against those of all users",
        "visits/week",
        "comes {value} times a week (typical: {typical})",
    ),
    ForecastFeature(
        "cancel_per_visit",
        "double",
        "expected chance that a visit ends in a cancellation",
        "probability",
        "a visit ends with a cancellation in {value} of cases (typical: {typical})",
    ),
)
