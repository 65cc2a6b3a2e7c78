"""The labels that are written, and the dates whose labels became known since."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pandas as pd
import pytest

from churn_spark.config import load_config
from churn_spark.contracts.tables import LABELS, SESSION_DAYS, SNAPSHOTS
from churn_spark.pipeline.context import JobContext
from churn_spark.pipeline.labels import find_unripe_dates, write_labels
from churn_spark.timeline import Horizon
from tests.builders import write_rows

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
    ("known_by", "dates"),
    [
        (date(2018, 10, 22), []),
        (date(2018, 10, 23), [date(2018, 10, 8)]),
        (date(2018, 10, 29), [date(2018, 10, 8)]),
        (date(2018, 10, 30), [date(2018, 10, 8), date(2018, 10, 15)]),
    ],
)
def test_unripe_dates_are_those_that_became_known_since(
    known_by: date, dates: list[date], is_native: bool, context: JobContext
) -> None:
    lakehouse = context.lakehouse
    lakehouse.replace_rows(_STORED, LABELS, {"as_of": {row[0] for row in _STORED}})
    if not is_native:
        lakehouse.__dict__["native_root"] = None
    assert find_unripe_dates(lakehouse, _HEADLINE, known_by) == dates


@pytest.mark.parametrize("is_native", [True, False])
def test_labels_of_all_dates_are_written_however_many_rows_a_commit_takes(
    is_native: bool, context: JobContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("churn_spark.pipeline.labels._ROWS_A_COMMIT", 3)
    lakehouse, dates = context.lakehouse, [date(2018, 10, day) for day in (1, 2, 3)]
    users = pd.DataFrame(
        [{"as_of": day, "user_id": user} for day in dates for user in ("gone", "left", "stays")]
    )
    write_rows(context, SNAPSHOTS, users)
    cancelled = datetime(2018, 10, 4, 12, tzinfo=UTC)
    # Delivered after the snapshots were made.
    left = datetime(2018, 9, 30, 23, tzinfo=UTC)
    days = pd.DataFrame(
        [
            {"event_date": dates[0], "user_id": "stays", "cancel_ts": None},
            {"event_date": date(2018, 10, 4), "user_id": "gone", "cancel_ts": cancelled},
            {"event_date": date(2018, 9, 30), "user_id": "left", "cancel_ts": left},
        ]
    )
    write_rows(context, SESSION_DAYS, days)
    if not is_native:
        lakehouse.__dict__["native_root"] = None
    config = load_config(overrides=["labels.horizon_days=2"]).labels
    write_labels(lakehouse, dates, config, date(2018, 10, 6))
    found = lakehouse.collect_rows(LABELS, columns=["as_of", "user_id", "label", "is_known"])
    assert sorted(map(tuple, found), key=lambda row: row[:2]) == [
        (dates[0], "gone", 0, True),
        (dates[0], "left", None, True),
        (dates[0], "stays", 0, True),
        (dates[1], "gone", 1, True),
        (dates[1], "left", None, True),
        (dates[1], "stays", 0, True),
        (dates[2], "gone", 1, True),
        (dates[2], "left", None, True),
        (dates[2], "stays", 0, True),
    ]


def test_no_date_is_unripe_before_the_first_labels(context: JobContext) -> None:
    assert find_unripe_dates(context.lakehouse, _HEADLINE, date(2018, 10, 22)) == []
