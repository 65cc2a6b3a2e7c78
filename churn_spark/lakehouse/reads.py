"""The dates that the log covers."""

from __future__ import annotations

from churn_spark.contracts.places import IN_LOG
from churn_spark.contracts.tables import LOG_DATES, SESSION_DAYS
from churn_spark.errors import InputError
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.timeline import LogSpan, days_after


def read_log_span(lakehouse: Lakehouse) -> LogSpan:
    """First date of the log and the day after its last one, wrong clocks left out.

    As the rollups have found them; of a lakehouse of an older release, all dates with an event.

    Raises:
        InputError: if there is no event.
        MissingTableError: if no events were loaded yet.
    """
    lakehouse.require(SESSION_DAYS)
    in_log = lakehouse.read_rows(LOG_DATES, {"place": [IN_LOG]}, ["event_date"])
    dates = sorted(in_log["event_date"]) or lakehouse.partition_values(SESSION_DAYS, "event_date")
    if not dates:
        raise InputError(
            "found no accepted event in the lakehouse, expected some: see the table "
            "bronze/quarantine for what was rejected and why"
        )
    return LogSpan(dates[0], days_after(dates[-1], 1))
