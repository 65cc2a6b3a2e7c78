"""Rows of one date, and the dates that the log covers."""

from __future__ import annotations

from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from churn_spark.contracts.tables import SESSION_DAYS, TableSpec
from churn_spark.errors import InputError, MissingTableError
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.timeline import LogSpan, days_after


def read_as_of(lakehouse: Lakehouse, spec: TableSpec, as_of: date) -> DataFrame:
    """The rows of one as-of date.

    Raises:
        MissingTableError: if the table has none; a job before this one writes them.
    """
    return _read_date(lakehouse, spec, "as_of", as_of)


def read_of_run(lakehouse: Lakehouse, spec: TableSpec, run_date: date) -> DataFrame:
    """The rows of one night.

    Raises:
        MissingTableError: if the table has none; a job before this one writes them.
    """
    return _read_date(lakehouse, spec, "run_date", run_date)


def _read_date(lakehouse: Lakehouse, spec: TableSpec, column: str, day: date) -> DataFrame:
    rows = lakehouse.read(spec)
    if not lakehouse.count_rows(spec, {column: [day]}):
        raise MissingTableError(
            f"found no rows as of {day} in {spec.layer}/{spec.name}, expected some: run the "
            "job that writes them for this date, or `nightly`, which runs them all"
        )
    return rows.filter(F.col(column) == F.lit(day))


def read_log_span(lakehouse: Lakehouse) -> LogSpan:
    """First date of the log and the day after its newest event.

    Raises:
        InputError: if there is no event.
        MissingTableError: if no events were loaded yet.
    """
    lakehouse.require(SESSION_DAYS)
    dates = lakehouse.partition_values(SESSION_DAYS, "event_date")
    if not dates:
        raise InputError(
            "found no accepted event in the lakehouse, expected some: see the table "
            "bronze/quarantine for what was rejected and why"
        )
    return LogSpan(dates[0], days_after(dates[-1], 1))
