"""Stored lists, snapshots and labels -> what lists have reached, on tables without Spark."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.compute as pc
import pytest
from night_builders import LAST, NAMES, build_nights
from pages import read

from churn_spark.config import load_config
from churn_spark.contracts.places import IN_LOG, OUT_OF_PLACE
from churn_spark.contracts.registry_state import RegistryState
from churn_spark.contracts.tables import (
    LABELS,
    LOG_DATES,
    PERFORMANCE,
    RETENTION_LISTS,
    SESSION_DAYS,
    SNAPSHOTS,
    TableSpec,
)
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.monitoring.performance.reach import LIST, describe_reach, list_reaches
from churn_spark.pipeline.dates import LogDates
from churn_spark.pipeline.evidence import read_newest_reach
from churn_spark.pipeline.gather import Night
from churn_spark.pipeline.reach import measure_arrival, measure_lists, unmeasured_lists
from churn_spark.reports.night.page import render_night
from churn_spark.reports.night.performance import performance_section
from churn_spark.reports.page import Table
from churn_spark.serving.stores import NewestPartition, read_all
from churn_spark.timeline import LogSpan, days_between
from tests.local_lakehouse import open_local

CONFIG = load_config()
START, MONDAY = date(2026, 1, 5), date(2026, 3, 2)
NIGHT = MONDAY + timedelta(days=15)
"""The first night that knows the labels of that Monday: a day of gap, and two weeks."""


def write(lakehouse: Lakehouse, spec: TableSpec, rows: Sequence[dict[str, Any]]) -> None:
    whole = [tuple({**dict.fromkeys(spec.column_names), **row}.values()) for row in rows]
    days = {row[name] for row in rows for name in spec.partition_by}
    lakehouse.replace_rows(whole, spec, {name: sorted(days) for name in spec.partition_by})


def write_date(
    lakehouse: Lakehouse,
    day: date,
    *,
    n_listed: int,
    version: str = "3",
    is_known: bool = True,
    control: Sequence[str] = (),
    is_left: bool = True,
) -> None:
    """40 users: every fourth cancels, the first ones are listed, every other one is paid."""
    users = [f"{n:02d}" for n in range(40)]
    leaving = set(users[::4]) if is_left else set()
    write(
        lakehouse,
        SNAPSHOTS,
        [
            {
                "as_of": day, "user_id": user, "hours_since_last_event": 5.0,
                "last_subscription_level": ("paid", "free")[int(user) % 2],
            }
            for user in users
        ],
    )  # fmt: skip
    write(
        lakehouse,
        LABELS,
        [
            {
                "as_of": day, "user_id": user, "horizon_days": 14, "gap_days": 1,
                "label": None if user == "39" or not is_known else int(user in leaving),
                "is_known": is_known, "is_gap_cancel": user == "39" and is_known,
            }
            for user in users
        ],
    )  # fmt: skip
    listed = [
        {"as_of": day, "user_id": user, "model_version": version}
        | {"assignment": "control" if user in control else "listed"}
        for user in users[:n_listed]
    ]
    write(lakehouse, RETENTION_LISTS, listed)


def night_of(day: date = NIGHT, end: date | None = None, failed: Sequence[date] = ()) -> Night:
    log = LogDates(LogSpan(START, end or day), day, frozenset(failed))
    return Night(day, log, (), RegistryState())


@pytest.fixture
def lakehouse(tmp_path: Path) -> Lakehouse:
    return open_local(tmp_path)


def store(lakehouse: Lakehouse, rows: list[dict[str, Any]], night: date = NIGHT) -> None:
    values = [[{**row, "run_date": night}.get(n) for n in PERFORMANCE.column_names] for row in rows]
    lakehouse.replace_rows(values, PERFORMANCE, {"run_date": [night]})


def test_lists_of_any_length_are_measured_once_their_labels_are_known(
    lakehouse: Lakehouse,
) -> None:
    for days, n_listed in ((-1, 5), (0, 8), (1, 40)):
        write_date(lakehouse, MONDAY + timedelta(days=days), n_listed=n_listed)
    rows = measure_lists(lakehouse, night_of(), CONFIG.learning)
    shorter, longer = list_reaches(rows)
    # Tomorrow's is known tomorrow.
    assert [shorter.window_start, longer.window_start] == [MONDAY - timedelta(days=1), MONDAY]
    assert (longer.n_listed, longer.n_positive, longer.version) == (8, 10, "3")
    assert (shorter.reached, longer.reached) == pytest.approx((2 / 10, 2 / 10))
    # Who cancelled in the gap could not be reached: 39 users are left.
    assert longer.by_chance == pytest.approx(8 / 39)
    # All ten who cancel are among the twenty whom the rule names.
    assert longer.by_rule == pytest.approx(8 / 20)
    store(lakehouse, rows)
    again = measure_lists(lakehouse, night_of(), CONFIG.learning)
    assert again == rows
    [row, *_] = measure_lists(lakehouse, night_of(NIGHT + timedelta(days=1)), CONFIG.learning)
    assert (row["window_start"], row["n_rows"]) == (MONDAY + timedelta(days=1), 39)


def test_control_group_counts_as_of_the_list_and_is_told_apart(lakehouse: Lakehouse) -> None:
    write_date(lakehouse, MONDAY, n_listed=8, control=["04", "05", "06"])
    rows = measure_lists(lakehouse, night_of(), CONFIG.learning)
    [reach] = list_reaches(rows)
    assert (reach.n_listed, reach.n_control, reach.reached) == (8, 3, pytest.approx(2 / 10))
    sentence = f"The list of {MONDAY}, its control group included, had 2 of the 10 users who then"
    assert describe_reach(reach).startswith(sentence)
    [control] = [row for row in rows if row["metric"] == "cancels_of_control"]
    # Of three withheld one cancels, of five listed one.
    assert (control["value"], control["reference"]) == pytest.approx((1 / 3, 1 / 5))
    assert (control["n_rows"], control["n_positive"]) == (3, 1)


def test_list_of_a_date_on_which_nobody_cancels_is_counted_once(lakehouse: Lakehouse) -> None:
    write_date(lakehouse, MONDAY, n_listed=8, is_left=False)
    rows = measure_lists(lakehouse, night_of(), CONFIG.learning)
    assert [row["n_positive"] for row in rows] == [0]
    store(lakehouse, rows)
    assert unmeasured_lists(lakehouse, night_of(NIGHT + timedelta(days=1)), CONFIG.learning) == []


def test_list_is_measured_by_labels_of_the_window_that_is_configured(lakehouse: Lakehouse) -> None:
    """Stored are those of 14 days."""
    write_date(lakehouse, MONDAY, n_listed=8)
    cancels = datetime.combine(MONDAY + timedelta(days=5), time(12))
    day = {"event_date": cancels.date(), "user_id": "03", "cancel_ts": cancels}
    write(lakehouse, SESSION_DAYS, [day])
    learning = load_config(overrides=["labels.horizon_days=10"]).learning
    [reach] = list_reaches(measure_lists(lakehouse, night_of(), learning))
    assert (reach.n_listed, reach.n_positive, reach.reached) == (8, 1, 1.0)


def test_list_is_taken_as_it_was_sent_without_users_who_were_erased(lakehouse: Lakehouse) -> None:
    write_date(lakehouse, MONDAY, n_listed=8)
    for spec in (SNAPSHOTS, LABELS, RETENTION_LISTS):
        rows = lakehouse.read_arrow(spec)
        kept = rows.filter(pc.not_equal(rows["user_id"], "00"))
        lakehouse.replace_rows(kept, spec, {"as_of": [MONDAY]})
    [reach] = list_reaches(measure_lists(lakehouse, night_of(), CONFIG.learning))
    assert (reach.n_listed, reach.n_positive) == (7, 9)
    assert reach.reached == pytest.approx(1 / 9)


def test_night_whose_data_failed_has_no_list_to_measure(lakehouse: Lakehouse) -> None:
    write_date(lakehouse, MONDAY, n_listed=8)
    assert measure_lists(lakehouse, night_of(failed=[MONDAY]), CONFIG.learning) == []
    assert read_newest_reach(lakehouse, night_of()) is None


def test_evidence_has_the_newest_list_that_was_measured(lakehouse: Lakehouse) -> None:
    for days in (-7, 0):
        write_date(lakehouse, MONDAY + timedelta(days=days), n_listed=8)
    store(lakehouse, measure_lists(lakehouse, night_of(), CONFIG.learning))
    found = read_newest_reach(lakehouse, night_of())
    assert found
    assert found.window_start == MONDAY
    earlier = read_newest_reach(lakehouse, night_of(failed=[MONDAY]))
    assert earlier
    assert earlier.window_start == MONDAY - timedelta(days=7)


def test_labels_arrive_with_the_days_of_their_window(lakehouse: Lakehouse) -> None:
    write_date(lakehouse, MONDAY, n_listed=8)
    days = days_between(START, NIGHT)

    def arrival(missing: Sequence[date] = (), holidays: Sequence[date] = ()) -> list[float]:
        checks = CONFIG.checks.model_copy(update={"holidays": [str(day) for day in holidays]})
        dates = [(day, 3 if day in missing else 900, IN_LOG) for day in days]
        lakehouse.replace_rows([*dates, (date(2031, 1, 1), 5, OUT_OF_PLACE)], LOG_DATES, {})
        rows = measure_arrival(lakehouse, night_of(), "3", CONFIG.learning, checks)
        return [row["value"] for row in rows]

    assert arrival() == [1.0]
    # Ten have cancelled in the window, one in the gap: these are known whatever else comes.
    day = MONDAY + timedelta(days=3)
    assert arrival([day]) == [11 / 40]
    assert arrival([day], holidays=[day]) == [1.0]
    assert arrival([NIGHT]) == [1.0]


def test_labels_that_the_log_never_reaches_are_due_all_the_same(lakehouse: Lakehouse) -> None:
    write_date(lakehouse, MONDAY, n_listed=8, is_known=False)
    end = MONDAY + timedelta(days=4)
    dates = [(day, 900, IN_LOG) for day in days_between(START, end)]
    lakehouse.replace_rows(dates, LOG_DATES, {})
    [row] = measure_arrival(lakehouse, night_of(end=end), "3", CONFIG.learning, CONFIG.checks)
    assert (row["value"], row["n_rows"]) == (0.0, 40)
    assert measure_lists(lakehouse, night_of(end=end), CONFIG.learning) == []


def test_pages_show_the_list_and_what_is_wrong_with_the_labels(lakehouse: Lakehouse) -> None:
    data = build_nights(20, names=NAMES[:12], n_windows=2)
    day = LAST - timedelta(days=15)
    for days in (-7, 0):
        write_date(lakehouse, day + timedelta(days=days), n_listed=8)
    rows = measure_lists(lakehouse, night_of(LAST), CONFIG.learning)
    lacking = {
        "basis": "arrival", "metric": "labels_known", "slice": "all", "window_start": day,
        "window_end": day, "value": 0.275, "n_rows": 40,
    }  # fmt: skip
    store(lakehouse, [*rows, {**lacking, "model_version": "3"}], LAST)
    measured = lakehouse.read_rows(PERFORMANCE)
    with_lists = replace(data, performance=pd.concat([data.performance, measured]))
    page = render_night(with_lists)
    assert read(page)
    sentence = f"The list of {day} had 2 of the 10 users who then cancelled"
    assert sentence in page
    assert f"11 of the 40 labels as of {day} have arrived: days up to the end" in page
    [table] = [
        block
        for block in performance_section(with_lists).blocks
        if isinstance(block, Table) and block.caption.startswith("Lists as they were sent")
    ]
    assert [row[0].text for row in table.rows] == [str(day), str(day - timedelta(days=7))]
    newest = NewestPartition(lakehouse.root, PERFORMANCE, read_all)
    newest.look()
    of_service = list_reaches(newest.current().rows.to_pylist())
    assert of_service == list_reaches(row for row in measured.to_dict("records"))
    assert {row["basis"] for row in rows} == {LIST}
