"""One user's events -> what the champion is to be asked."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

from churn_spark.models.bundle import ModelBundle
from churn_spark.serving.events.days import build_history
from churn_spark.serving.events.features import Value, compute_features
from churn_spark.serving.events.pauses import forecast_fading
from churn_spark.serving.events.request import UserEvents
from churn_spark.serving.events.visits import behaviour_parts, forecast_behaviour, see_user
from churn_spark.timeline import day_of_number


@dataclass(frozen=True)
class Computed:
    """What a user's events come to.

    Attributes:
        values: every feature as of the date, by name; None where it isn't known.
        parts: what the behaviour model's log-odds are made of: the columns of `BEHAVIOUR_PARTS`;
            empty where there is no such model, or no explanation was asked for.
    """

    values: dict[str, Value]
    parts: dict[str, Value] = field(default_factory=dict)


def compute_values(
    user: UserEvents, bundle: ModelBundle, log_start: date, *, with_parts: bool = False
) -> Computed:
    """Every feature of the user as of the date.

    Args:
        user: with an event before the date.
        bundle: whose models of behaviour and of fading, where it has them, are asked too.
        log_start: first date of the log; that of the events where the date is before it.
        with_parts: for an explanation.
    """
    if log_start >= user.as_of:
        log_start = day_of_number(min(event.day for event in user.events))
    values = compute_features(build_history(user.events, user.as_of, log_start))
    found = dict(values)
    if bundle.fading is not None:
        found |= forecast_fading(user.events, user.as_of, bundle.fading, bundle.horizon, values)
    model, horizon = bundle.behaviour, bundle.horizon
    if model is None:
        return Computed(found)
    seen = see_user(user.events, user.as_of, model, values)
    found |= forecast_behaviour(seen, user.as_of, model, horizon)
    if not with_parts:
        return Computed(found)
    return Computed(found, behaviour_parts(seen, user.as_of, model, horizon, bundle.typical_level))
