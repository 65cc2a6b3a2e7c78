"""How many users have cancelled lately, as a row of `performance` of a night."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from churn_spark.churn_words import CANCEL
from churn_spark.config import LearningConfig
from churn_spark.contracts.event_facts import CANCELLED, USER
from churn_spark.contracts.tables import EVENT_DAYS
from churn_spark.lakehouse.selection import Between, Where
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.monitoring.data_quality.event_days import checked_day
from churn_spark.monitoring.performance.cancellations import (
    WEEKS_BEFORE,
    cancellation_row,
    count_cancellations,
)
from churn_spark.pipeline.gather import Night
from churn_spark.stores.event_days import read_event_days


def measure_cancellations(
    lakehouse: Lakehouse, night: Night, version: str, config: LearningConfig
) -> list[dict[str, Any]]:
    """One row, or none where nothing can be told, or leaving is no cancellation here."""
    if config.labels.churn != CANCEL or not lakehouse.exists(EVENT_DAYS):
        return []
    weeks = Between(night.date - timedelta(weeks=WEEKS_BEFORE + 1), night.date - timedelta(days=1))
    where: Where = {"event_date": weeks, "fact": [USER, CANCELLED]}
    days = read_event_days(lakehouse, where)
    broken = {checked_day(failed) for failed in night.log.failed}
    found = count_cancellations(days, night.date, night.log.span.start, broken)
    return [{**cancellation_row(found, night.date), "model_version": version}] if found else []
