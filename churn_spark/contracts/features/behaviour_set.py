"""The feature set `behaviour`: what the behaviour model says of a user as of a date.

It has read the user's page transitions before the date; see `churn_spark/models/behaviour`.
"""

from __future__ import annotations

from churn_spark.contracts.features.feature import ForecastFeature

BEHAVIOUR_FEATURES: tuple[ForecastFeature, ...] = (
    ForecastFeature(
        "behaviour_probability",
        "double",
        "cancellation probability in the prediction window, from page views and visits alone",
        "probability",
        "of users with such habits {value} cancel (median: {typical})",
    ),
    ForecastFeature(
        "visits_a_week",
        "double",
        "expected visits per week: the user's own rate, smoothed towards the average of all users",
        "visits/week",
        "visits {value} times a week (median: {typical})",
    ),
    ForecastFeature(
        "cancel_per_visit",
        "double",
        "expected probability that a visit ends with a cancellation",
        "probability",
        "a visit ends with a cancellation in {value} of cases (median: {typical})",
    ),
)
