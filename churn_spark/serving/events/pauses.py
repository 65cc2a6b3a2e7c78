"""When a user came -> what the champion's model of fading says of them as of a date.

The days of sessions of `features.session_days`, and the model's own kernels.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date

import numpy as np

from churn_spark.models.fading.model import FadingModel
from churn_spark.models.fading.visits import visits_of
from churn_spark.serving.events.days import is_activity
from churn_spark.serving.events.features import Value
from churn_spark.serving.events.records import Event
from churn_spark.timeline import SECONDS_PER_DAY, Horizon, day_start_millis


def forecast_fading(
    events: Iterable[Event],
    as_of: date,
    model: FadingModel,
    horizon: Horizon,
    known: Mapping[str, Value],
) -> dict[str, Value]:
    """The features of the set `fading`.

    Args:
        events: of the user, before the date.
        as_of: the date.
        model: the champion's.
        horizon: of the champion's label.
        known: the snapshot's features: tenure is a fact of the model, too.
    """
    days: dict[tuple[int, int], list[int]] = defaultdict(list)
    for event in events:
        if event.is_logged_in and is_activity(event):
            days[event.session_id, event.day].append(event.ts)
    begins, ends = (np.array([pick(one) for one in days.values()]) for pick in (min, max))
    now, tenure = day_start_millis(as_of) / 1000.0, known["tenure_days"]
    registered = now - float("nan" if tenure is None else tenure) * SECONDS_PER_DAY
    visits = visits_of([(begins, ends)], np.array([now]))
    found = model.forecast(visits, np.array([registered]), as_of, horizon)
    return {
        "fading_probability": float(found.cancel_probability[0]),
        "fading_now": float(found.fading[0]),
    }
