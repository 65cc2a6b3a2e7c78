"""The evaluation's page: how long the users of the test stayed, beside what was expected."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
from local_lakehouse import open_local
from pages import read
from report_builders import build_evaluation

from churn_spark.contracts.survival import survival_columns
from churn_spark.contracts.tables import SESSION_DAYS
from churn_spark.evaluation.kaplan_meier import GroupCurve
from churn_spark.reports.data import EvaluationData
from churn_spark.reports.evaluation import build_page, render_evaluation
from churn_spark.reports.staying import MAY_BE_KEPT
from churn_spark.reports.store import read_staying

FIRST, SECOND, END = date(2018, 11, 5), date(2018, 11, 12), date(2018, 12, 1)
GAP_DAYS = 1
# Of the window that begins on 2018-11-06 the log knows 25 days.
CANCELS = {f"u{n}": FIRST + timedelta(days=1 + n) for n in range(6)} | {
    "u6": END + timedelta(days=3)
}


def read_until(tmp_path: Path, end: date) -> tuple[GroupCurve, ...]:
    """Ten users of two dates; six cancel on six days in a row, one when the log has ended."""
    lakehouse = open_local(tmp_path)
    days = pd.DataFrame({"user_id": [*CANCELS], "event_date": [*CANCELS.values()]})
    days["cancel_ts"] = [
        datetime.combine(day, datetime.min.time(), UTC) + timedelta(hours=9)
        for day in CANCELS.values()
    ]
    frame = days.reindex(columns=SESSION_DAYS.column_names).astype(object)
    lakehouse.replace_rows(frame.where(frame.notna(), None), SESSION_DAYS, {})
    users = [f"u{n}" for n in range(10)]
    rows = pd.DataFrame({"as_of": [FIRST] * 10 + [SECOND] * 10, "user_id": users * 2})
    rows = rows.assign(
        level=["paid"] * 8 + ["free"] * 2 + ["free"] * 10,
        tenure_band="over 90 days",
        **dict(zip(survival_columns(), (0.9, 0.8, 0.7, 0.6, 0.5), strict=True)),
    )
    # What is said of a user later doesn't count again.
    rows.loc[rows["as_of"] == SECOND, "survival_7d"] = 0.0
    return read_staying(lakehouse, rows, GAP_DAYS, end)


@pytest.fixture
def staying(tmp_path: Path) -> tuple[GroupCurve, ...]:
    return read_until(tmp_path, END)


def test_each_user_counts_once_and_up_to_the_end_of_the_log(
    staying: tuple[GroupCurve, ...],
) -> None:
    everybody = staying[0]
    assert (everybody.name, everybody.observed.n, everybody.observed.n_cancels) == ("all", 10, 6)
    assert everybody.observed.watched == 25.0
    assert [round(everybody.observed.at(day).value, 3) for day in (0, 1, 5, 25)] == [
        1.0,
        0.9,
        0.5,
        0.4,
    ]
    assert everybody.expected == pytest.approx({7: 0.9, 14: 0.8, 30: 0.7, 60: 0.6, 90: 0.5})


def test_parts_of_whom_hardly_anybody_cancels_are_left_out(
    staying: tuple[GroupCurve, ...],
) -> None:
    parts = {one.name: one.observed.n for one in staying}
    assert parts == {"all": 10, "level=paid": 8, "tenure_band=over 90 days": 10}


def test_log_that_ends_within_a_week_tells_nothing(tmp_path: Path) -> None:
    assert read_until(tmp_path, FIRST + timedelta(days=7)) == ()
    assert len(read_until(tmp_path, FIRST + timedelta(days=8))) == 3


@pytest.fixture(scope="module")
def data() -> EvaluationData:
    return build_evaluation(300)


def test_page_shows_happened_beside_expected(
    data: EvaluationData, staying: tuple[GroupCurve, ...]
) -> None:
    (section,) = (
        one
        for one in build_page(replace(data, staying=staying)).sections
        if one.anchor == "staying"
    )
    assert section.answer == (
        "Of 10 users first seen as of 2018-11-05 and 2018-11-12, 40.0\u202f% were still there "
        "after 14 days; 80.0\u202f% were expected."
    )
    everybody = [[cell.text for cell in row] for row in section.blocks[1].rows]
    assert everybody[1][:5] == ["all users", "14", "10", "80.0\u202f%", "40.0\u202f%"]
    assert everybody[2][4] == "not yet"
    names = {row[0].text for row in section.blocks[2].rows}
    assert names == {"paid users", "registered over 90 days"}
    assert "How long users stay" in read(render_evaluation(replace(data, staying=staying))).headings


def test_page_says_where_contacts_may_have_kept_users(
    data: EvaluationData, staying: tuple[GroupCurve, ...]
) -> None:
    for are_contacted in (True, False):
        page = build_page(replace(data, staying=staying, are_contacted=are_contacted))
        (section,) = (one for one in page.sections if one.anchor == "staying")
        assert (MAY_BE_KEPT in section.blocks) == are_contacted


def test_page_leaves_it_out_where_it_is_not_forecast(data: EvaluationData) -> None:
    assert "staying" not in {one.anchor for one in build_page(data).sections}
