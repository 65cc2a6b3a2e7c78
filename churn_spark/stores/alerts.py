"""The table `alerts`: every open alert as it stands after each night, and those that ended."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from pyspark.sql import Row

from churn_spark.contracts.tables import ALERTS
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.monitoring.alerts.alerts import Alert, Notice


def read_open_alerts(lakehouse: Lakehouse, night: date) -> list[Alert]:
    """The alerts that go on after the newest night before this one."""
    earlier = [one for one in lakehouse.partition_values(ALERTS, "run_date") if one < night]
    return [alert for alert in read_alerts(lakehouse, earlier[-1:]) if alert.goes_on]


def has_later_alerts(lakehouse: Lakehouse, night: date) -> bool:
    """Whether later nights have told of alerts: what is open there goes on."""
    return any(one > night for one in lakehouse.partition_values(ALERTS, "run_date"))


def read_alerts(lakehouse: Lakehouse, nights: Sequence[date]) -> list[Alert]:
    """The alerts as some nights have left them, by key; none where there is no night."""
    rows = lakehouse.collect_rows(ALERTS, {"run_date": nights})
    return sorted(map(alert_of, rows), key=lambda alert: alert.key)


def write_alerts(
    lakehouse: Lakehouse, night: date, alerts: Sequence[Alert], notices: Sequence[Notice]
) -> None:
    """Replace the alerts of a night."""
    told = {notice.alert.key: notice.change for notice in notices}
    rows = [
        # Of one that a rerun finds ended the notice was sent before, on the same night.
        _row_of(night, alert, told.get(alert.key, "resolved" if alert.resolved else "kept"))
        for alert in alerts
    ]
    lakehouse.replace_rows(rows, ALERTS, {"run_date": [night]})


def add_alerts(lakehouse: Lakehouse, night: date, ended: Sequence[Alert]) -> None:
    """Add alerts that have ended to those of a night, which stay as they are."""
    if ended:
        there = lakehouse.collect_rows(ALERTS, {"run_date": [night]})
        rows = [*map(tuple, there), *(_row_of(night, alert, "resolved") for alert in ended)]
        lakehouse.replace_rows(rows, ALERTS, {"run_date": [night]})


def _row_of(night: date, alert: Alert, change: str) -> tuple[object, ...]:
    return (
        night,
        alert.key,
        change,
        alert.severity,
        alert.sentence,
        alert.opened,
        alert.last_seen,
        alert.last_told,
        alert.nights_clear,
        alert.resolved,
    )


def alert_of(row: Row) -> Alert:
    """The alert of a stored row."""
    return Alert(
        row.key,
        row.severity,
        row.sentence,
        row.opened,
        row.last_seen,
        row.last_told,
        row.nights_clear,
        row.resolved,
    )
