"""Held nights ahead of the log: taken back whole, before a true night is run."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from churn_spark.contracts.tables import (
    ALERTS,
    BUILT_LISTS,
    DATA_CHECKS,
    DECISIONS,
    SNAPSHOTS,
    USER_TOTALS,
    TableSpec,
)
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.pipeline.dates import LogDates
from churn_spark.pipeline.withdraw import withdraw_ahead
from churn_spark.timeline import LogSpan
from tests.local_lakehouse import open_local

TRUE, HELD, OUTAGE = date(2018, 12, 1), date(2031, 1, 1), date(2018, 12, 3)
SPAN = LogSpan(date(2018, 10, 1), date(2018, 12, 1))
_OF_NIGHT = ((SNAPSHOTS, "as_of"), (DATA_CHECKS, "run_date"), (DECISIONS, "run_date"))
_ALL = (
    *_OF_NIGHT,
    (BUILT_LISTS, "as_of"),
    (ALERTS, "run_date"),
    (USER_TOTALS, "before"),
)


@pytest.fixture
def lakehouse(tmp_path: Path) -> Lakehouse:
    """Rows of three dates in each table that has any."""
    made = open_local(tmp_path)
    for spec, column in _ALL:
        rows = pd.DataFrame([{**dict.fromkeys(spec.column_names), column: day} for day in _DATES])
        made.replace_rows(rows, spec, {column: _DATES})
    return made


_DATES = (TRUE, OUTAGE, HELD)


def dates_of(lakehouse: Lakehouse, spec: TableSpec, column: str) -> list[date]:
    return lakehouse.partition_values(spec, column)


def test_held_night_ahead_of_the_log_leaves_nothing(lakehouse: Lakehouse) -> None:
    log = LogDates(SPAN, TRUE, frozenset({HELD}))
    assert withdraw_ahead(lakehouse, log, TRUE)
    for spec, column in _ALL:
        kept = {TRUE} if spec is USER_TOTALS else {TRUE, OUTAGE}
        assert {*dates_of(lakehouse, spec, column)} == kept, spec.name


@pytest.mark.parametrize(
    ("failed", "end", "night"),
    [
        # Sound, within the log, or before the night.
        ((), SPAN.end, TRUE),
        ((OUTAGE,), date(2018, 12, 5), TRUE),
        ((OUTAGE,), SPAN.end, OUTAGE),
    ],
)
def test_other_nights_stay(
    failed: tuple[date, ...], end: date, night: date, lakehouse: Lakehouse
) -> None:
    log = LogDates(LogSpan(SPAN.start, end), TRUE, frozenset(failed))
    assert not withdraw_ahead(lakehouse, log, night)
    assert {*dates_of(lakehouse, DATA_CHECKS, "run_date")} == {*_DATES}
