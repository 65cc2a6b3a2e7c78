"""Which weeks are learnt from and judged on: those whose data were sound."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from churn_spark.contracts.tables import DATA_CHECKS, SESSION_DAYS
from churn_spark.lakehouse.schema import struct_of
from churn_spark.pipeline.context import JobContext
from churn_spark.pipeline.dates import (
    labelled_dates,
    read_log_dates,
    training_dates,
    unseen_dates,
)

START, END = date(2018, 10, 1), date(2018, 12, 1)
MONDAYS = [date(2018, 10, 8) + timedelta(weeks=week) for week in range(6)]
BROKEN = MONDAYS[2]


def check_night(context: JobContext, night: date, *, passed: bool) -> None:
    """One check that failed or passed, and one that passed, of a night."""
    rows = [(night, "volume", 0.0, "more", passed, ""), (night, "freshness", 0.0, "", True, "")]
    frame = context.spark.createDataFrame(rows, struct_of(DATA_CHECKS))
    context.lakehouse.replace(frame, DATA_CHECKS, {"run_date": [night]})


@pytest.fixture
def logged(context: JobContext) -> JobContext:
    """A log of two months."""
    nothing = dict.fromkeys(SESSION_DAYS.column_names)
    days = [
        tuple((nothing | {"user_id": "1", "session_id": 1, "event_date": day}).values())
        for day in (START, END - timedelta(days=1))
    ]
    context.lakehouse.replace(
        context.spark.createDataFrame(days, struct_of(SESSION_DAYS)), SESSION_DAYS, {}
    )
    return context


def test_week_that_failed_its_checks_is_learnt_from_once_it_is_mended(logged: JobContext) -> None:
    learning = logged.config.learning
    assert labelled_dates(read_log_dates(logged.lakehouse), learning, END) == MONDAYS
    check_night(logged, BROKEN, passed=False)
    check_night(logged, MONDAYS[0], passed=True)
    sound = [day for day in MONDAYS if day != BROKEN]
    log = read_log_dates(logged.lakehouse)
    assert labelled_dates(log, learning, END) == training_dates(log, learning, END) == sound
    assert unseen_dates(log, learning, END, date(2018, 10, 24)) == sound[1:]
    check_night(logged, BROKEN, passed=True)
    assert training_dates(read_log_dates(logged.lakehouse), learning, END) == MONDAYS
