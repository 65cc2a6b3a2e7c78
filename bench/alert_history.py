"""Every alert that there was, as it stood on its newest night."""

from __future__ import annotations

from datetime import date

from churn_spark.contracts.tables import ALERTS
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.monitoring.alerts.alerts import Alert
from churn_spark.stores.alerts import alert_of


def read_alerts(lakehouse: Lakehouse) -> list[Alert]:
    """The alerts of all nights, oldest first; empty before the first night."""
    if not lakehouse.exists(ALERTS):
        return []
    newest: dict[tuple[str, date], Alert] = {}
    for row in lakehouse.read(ALERTS).orderBy("run_date", "key").collect():
        newest[row.key, row.opened] = alert_of(row)
    return sorted(newest.values(), key=lambda alert: (alert.opened, alert.key))
