"""One user's events of a log without sessions -> the same with the visits that silence parts.

`features.silence` says the same for all users.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from churn_spark.serving.events.records import Event
from churn_spark.timeline import MILLIS_PER_MINUTE


def cut_by_silence(events: Iterable[Event]) -> list[Event]:
    """Give a session to each event; in the order in which they happened.

    Args:
        events: of one user; `session_id` is the silence in minutes, negative.
    """
    cut: list[Event] = []
    last = None
    for event in sorted(events, key=lambda one: one.ts):
        goes_on = (
            last is not None
            and last.day == event.day
            and event.ts - last.ts <= -event.session_id * MILLIS_PER_MINUTE
        )
        session = cut[-1].session_id if goes_on else -event.ts
        cut.append(replace(event, session_id=session))
        last = event
    return cut
