"""One user's events -> what the champion is to be asked."""

from __future__ import annotations

from datetime import date, timedelta

from churn_spark.models.bundle import ModelBundle
from churn_spark.serving.events.days import build_history
from churn_spark.serving.events.features import Value, compute_features
from churn_spark.serving.events.pauses import forecast_fading
from churn_spark.serving.events.request import UserEvents
from churn_spark.serving.events.visits import forecast_behaviour


def compute_values(user: UserEvents, bundle: ModelBundle, log_start: date) -> dict[str, Value]:
    """Every feature of the user as of the date, by name; None where it isn't known.

    Args:
        user: with an event before the date.
        bundle: whose models of behaviour and of fading, where it has them, are asked too.
        log_start: first date of the log; that of the events where the date is before it.
    """
    if log_start >= user.as_of:
        log_start = date(1970, 1, 1) + timedelta(days=min(event.day for event in user.events))
    values = compute_features(build_history(user.events, user.as_of, log_start))
    found = dict(values)
    if bundle.behaviour is not None:
        found |= forecast_behaviour(
            user.events, user.as_of, bundle.behaviour, bundle.horizon, values
        )
    if bundle.fading is not None:
        found |= forecast_fading(user.events, user.as_of, bundle.fading, bundle.horizon, values)
    return found
