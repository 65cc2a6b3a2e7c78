"""The quarantine's age: rows that are old go, and so does what an older release kept of lines."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Final

from churn_spark.contracts.tables import QUARANTINE
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.pipeline.console import warn
from churn_spark.timeline import days_after

_RAW: Final = "raw"
"""Column in which older releases kept the lines as they were, with names and all."""


def utc_today() -> date:
    """The date on the clock: a line is rejected when it is read, whatever night that is for."""
    return datetime.now(UTC).date()


def remove_raw_lines(lakehouse: Lakehouse) -> None:
    """Remove a quarantine of an older release with its history, for that holds names.

    Its commits hold parts of the lines too, so nothing less than the whole table will do.
    """
    if lakehouse.exists(QUARANTINE) and _RAW in lakehouse.stored_columns(QUARANTINE):
        n_lines = lakehouse.count_rows(QUARANTINE)
        lakehouse.drop(QUARANTINE)
        warn(
            f"{QUARANTINE.path} of an older release held {n_lines:,} rejected lines as they were, "
            "names and all: it is removed. Which lines are rejected is kept again from now on"
        )


def remove_expired(lakehouse: Lakehouse, days: int, today: date) -> None:
    """Remove what was rejected before the last so many days."""
    first = days_after(today, -days)
    dates = lakehouse.partition_values(QUARANTINE, "rejected_date")
    if expired := [one for one in dates if one < first]:
        lakehouse.replace_rows([], QUARANTINE, {"rejected_date": expired})
        lakehouse.vacuum(QUARANTINE)
