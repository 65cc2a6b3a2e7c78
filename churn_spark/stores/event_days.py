"""The table `event_days`: what was counted of the events of each day."""

from __future__ import annotations

from churn_spark.contracts.tables import EVENT_DAYS
from churn_spark.lakehouse.selection import Where
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.monitoring.data_quality.event_days import EventDays


def read_event_days(lakehouse: Lakehouse, where: Where | None = None) -> EventDays:
    """The facts of all days of the log, or of some; some hundred numbers a day."""
    rows = lakehouse.read_rows(EVENT_DAYS, where, ("event_date", "fact", "value", "n"))
    return EventDays.of(rows.itertuples(index=False, name=None))
