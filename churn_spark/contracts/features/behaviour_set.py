"""The feature set `behaviour`: what the behaviour model says of a user as of a date.

It has read the user's page transitions before the date; see `churn_spark/models/behaviour`.
"""

from __future__ import annotations

from churn_spark.contracts.features.feature import Feature


def _forecast(name: str, meaning: str, unit: str, phrase: str) -> Feature:
    return Feature(name, "double", "forecast", name, meaning, unit, phrase)


BEHAVIOUR_FEATURES: tuple[Feature, ...] = (
    _forecast(
        "behaviour_probability",
        "chance to cancel in the label's window, from page transitions and visits alone",
        "probability",
        "of users with such habits {value} cancel (typical: {typical})",
    ),
    _forecast(
        "visits_a_week",
        "expected visits a week, the user's own so far weighed against those of all users",
        "visits/week",
        "comes {value} times a week (typical: {typical})",
    ),
    _forecast(
        "cancel_per_visit",
        "expected chance that a visit ends in a cancellation",
        "probability",
        "a visit ends with a cancellation in {value} of cases (typical: {typical})",
    ),
)
