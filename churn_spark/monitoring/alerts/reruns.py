"""What a night told before it was run again: that is not told over, and what has changed is.

An alert that has opened then must end now where its finding is gone, and one that has ended then is
open again where its finding is back.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from datetime import date

from churn_spark.monitoring.alerts.alerts import Alert, Notice, severity_order


def end_of_rerun(
    stored: Iterable[Alert],
    keys: Collection[str],
    today: date,
    is_seen: Callable[[str], bool],
) -> tuple[tuple[Alert, ...], tuple[Notice, ...]]:
    """The alerts that an earlier run of the night has opened and told, and this one has no more.

    Their finding is gone with what was mended, and no later night knows of them: they end at once.
    So do those that opened on a night ahead of it that was taken back. What this run could not
    look at stays as it was.

    Args:
        stored: the alerts of the night as they stand before this run; none on a first one.
        keys: of the alerts after this run.
        today: the night.
        is_seen: whether this run could see an alert of a key end.

    Returns:
        Them as they ended, and a notice of each whose end no receiver has been told yet.
    """
    alerts, notices = [], []
    for alert in stored:
        is_told = alert.last_told is not None
        if alert.opened < today or alert.key in keys or not (is_told or alert.resolved):
            continue
        if is_told and (alert.resolved or not is_seen(alert.key)):
            alerts.append(alert)
            continue
        ended = replace(alert, resolved=today, last_told=today)
        alerts.append(ended)
        notices.append(Notice("resolved", ended))
    return tuple(alerts), tuple(notices)


def goes_on_after_rerun(
    stored: Iterable[Alert], alerts: Iterable[Alert], today: date
) -> tuple[Notice, ...]:
    """Reminders of the alerts that an earlier run of the night has told of, and that go on.

    It may have told that they end, or that they are worse than they are found now.

    Args:
        stored: the alerts of the night as they stand before this run; none on a first one.
        alerts: those after this run.
        today: the night.
    """
    told = {(one.key, one.opened) for one in stored if one.last_told == today}
    return tuple(
        Notice("reminder", replace(alert, last_told=today))
        for alert in alerts
        # Of the others there is a notice anyway.
        if alert.resolved is None and alert.last_told != today and (alert.key, alert.opened) in told
    )


def not_told_yet(
    notices: Iterable[Notice], stored: Iterable[Alert], today: date
) -> tuple[Notice, ...]:
    """The notices that say something else than an earlier run of the night has told already.

    That an alert is open, or has ended, is told once; again only where it is more severe.

    Args:
        notices: of this run.
        stored: the alerts of the night as they stand before this run; none on a first one.
        today: the night.
    """
    told = {_state_of(alert): alert for alert in stored if alert.last_told == today}

    def is_told(alert: Alert) -> bool:
        before = told.get(_state_of(alert))
        return before is not None and (
            severity_order(before.severity) <= severity_order(alert.severity)
        )

    return tuple(notice for notice in notices if not is_told(notice.alert))


def _state_of(alert: Alert) -> tuple[str, date, bool]:
    return alert.key, alert.opened, alert.resolved is None
