"""How many users have cancelled lately, as a row of `performance` of a night."""

from __future__ import annotations

from typing import Any, Final

from churn_spark.config import LearningConfig
from churn_spark.contracts.event_facts import EVENT
from churn_spark.contracts.tables import EVENT_DAYS
from churn_spark.lakehouse.selection import Between, Where
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.monitoring.performance.cancellations import (
    BEFORE_DAYS,
    RECENT_DAYS,
    cancellation_row,
    count_cancellations,
)
from churn_spark.pipeline.gather import Night
from churn_spark.stores.event_days import read_event_days
from churn_spark.timeline import days_after

_CANCEL: Final = "cancel"


def measure_cancellations(
    lakehouse: Lakehouse, night: Night, version: str, config: LearningConfig
) -> list[dict[str, Any]]:
    """One row, or none where nothing can be told, or leaving is no cancellation here."""
    if config.labels.churn != _CANCEL or not lakehouse.exists(EVENT_DAYS):
        return []
    weeks = Between(days_after(night.date, -RECENT_DAYS - BEFORE_DAYS), days_after(night.date, -1))
    where: Where = {"event_date": weeks, "fact": [EVENT, "page"]}
    days = read_event_days(lakehouse, where)
    found = count_cancellations(days, night.date, night.log.span.start)
    return [{**cancellation_row(found, night.date), "model_version": version}] if found else []
