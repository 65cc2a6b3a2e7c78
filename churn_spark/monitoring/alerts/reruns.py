"""What a night told before it was run again: an alert that has opened then must end now."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from datetime import date

from churn_spark.monitoring.alerts.alerts import Alert, Notice


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
