"""One user's events -> what the champion is to be asked."""

from __future__ import annotations

from datetime import date, timedelta

from churn_spark.models.bundle import ModelBundle
from churn_spark.serving.events.days import build_history
from churn_spark.serving.events.features import Value, compute_features
from churn_spark.serving.events.request import UserEvents
from churn_spark.serving.events.visits import forecast_behaviour


def compute_values(user: UserEvents, bundle: ModelBundle, log_start: date) -> dict[str, Value]:
    """Every feature of the user as of the date, by name; None where it isn't known.

    Args:
        user: with an event before the date.
        bundle: whose behaviour model, if it has one, is asked for its features.
        log_start: first date of the log; that of the events where the date is before it.
    """
    if log_start >= user.as_of:
        log_start = date(1970, 1, 1) + timedelta(days=min(event.day for event in user.events))
    values = compute_features(build_history(user.events, user.as_of, log_start))
    if bundle.behaviour is None:
        return values
    return values | forecast_behaviour(
        user.events, user.as_of, bundle.behaviour, bundle.horizon, values
    )
