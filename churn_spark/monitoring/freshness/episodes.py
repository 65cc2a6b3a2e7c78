"""When it is told that nights are late: once for all of a time, however often it is looked at."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Final

from churn_spark.config import AlertsConfig
from churn_spark.monitoring.alerts.alerts import Alert, Change, Notice
from churn_spark.monitoring.freshness.lateness import Lateness

LATE_KEY: Final = "night:late"
"""Key of the alert."""


@dataclass(frozen=True)
class Episode:
    """A time in which nights were late, as the columns of `late_nights` describe it."""

    first_night: date
    last_night: date
    due_ts: datetime
    opened_ts: datetime
    told_ts: datetime | None = None
    ended_ts: datetime | None = None

    def told(self, now: datetime) -> Episode:
        """The same after a notice of it has arrived."""
        return replace(self, told_ts=now)


def update_episode(
    last: Episode | None, lateness: Lateness, config: AlertsConfig
) -> tuple[Episode | None, Notice | None]:
    """The time that goes on, begins or ends now, and what to notify of.

    A notice that has not arrived is due again at the next look. Of an end nobody is told who was
    not told of the beginning.

    Args:
        last: the one that has not ended; none where there is none.
        lateness: how the nights stand.
        config: after how many days a notice is sent again.
    """
    now = lateness.now
    if lateness.first_missed is None:
        if last is None:
            return None, None
        ended = replace(last, ended_ts=now)
        return ended, _notice("resolved", ended, lateness) if last.told_ts else None
    # After nights that had come, whether or not anybody could be told of it.
    if last is None or lateness.first_missed > last.last_night:
        begun = Episode(lateness.first_missed, lateness.expected, lateness.due, now)
        return begun, _notice("opened", begun, lateness)
    goes_on = replace(last, last_night=lateness.expected)
    if goes_on.told_ts is None:
        return goes_on, _notice("opened", goes_on, lateness)
    if now - goes_on.told_ts >= timedelta(days=config.remind_days):
        return goes_on, _notice("reminder", goes_on, lateness)
    return goes_on, None


def _notice(change: Change, episode: Episode, lateness: Lateness) -> Notice:
    today, opened = lateness.now.date(), episode.opened_ts.date()
    resolved = today if change == "resolved" else None
    sentence = lateness.describe()
    alert = Alert(LATE_KEY, "critical", sentence, opened, today, today, resolved=resolved)
    return Notice(change, alert)
