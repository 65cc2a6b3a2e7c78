"""Which labels are built again: those that became known since."""

from __future__ import annotations

from datetime import date

import pytest

from churn_spark.contracts.tables import LABELS
from churn_spark.pipeline.context import JobContext
from churn_spark.pipeline.snapshots import find_unripe_dates
from churn_spark.timeline import Horizon

_HEADLINE, _CONTEST = Horizon(14, 1), Horizon(10, 0)
_STORED = (
    (date(2018, 10, 1), "a", 14, 1, 0, True, False),
    (date(2018, 10, 2), "a", _CONTEST.days, _CONTEST.gap_days, None, False, False),
    (date(2018, 10, 3), "a", 14, _CONTEST.gap_days, None, False, False),
    (date(2018, 10, 4), "a", 14, 1, None, True, True),
    (date(2018, 10, 4), "b", 14, 1, 1, True, False),
    (date(2018, 10, 8), "a", 14, 1, None, False, False),
    (date(2018, 10, 8), "b", 14, 1, None, False, True),
    (date(2018, 10, 15), "a", 14, 1, None, False, False),
)
"""Known, in the gap and unknown, of the headline and of other horizons."""


@pytest.mark.parametrize("is_native", [True, False])
@pytest.mark.parametrize(
    ("log_end", "dates"),
    [
        (date(2018, 10, 22), []),
        (date(2018, 10, 23), [date(2018, 10, 8)]),
        (date(2018, 10, 29), [date(2018, 10, 8)]),
        (date(2018, 10, 30), [date(2018, 10, 8), date(2018, 10, 15)]),
    ],
)
def test_unripe_dates_are_those_that_became_known_when_log_ends(
    log_end: date, dates: list[date], is_native: bool, context: JobContext
) -> None:
    lakehouse = context.lakehouse
    lakehouse.replace_rows(_STORED, LABELS, {"as_of": {row[0] for row in _STORED}})
    if not is_native:
        lakehouse.__dict__["native_root"] = None
    assert find_unripe_dates(lakehouse, _HEADLINE, log_end) == dates


def test_no_date_is_unripe_before_the_first_labels(context: JobContext) -> None:
    assert find_unripe_dates(context.lakehouse, _HEADLINE, date(2018, 10, 22)) == []
