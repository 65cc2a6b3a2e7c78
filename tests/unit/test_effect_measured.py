"""Lists, labels and contacts -> the effect of a campaign, on tables without Spark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from html import unescape
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from night_builders import NAMES, build_nights
from pages import read

from churn_spark.config import load_config
from churn_spark.contracts.registry_state import RegistryState
from churn_spark.contracts.tables import (
    CONTACTS,
    EFFECT,
    LABELS,
    RETENTION_LISTS,
    SESSION_DAYS,
    SNAPSHOTS,
)
from churn_spark.evaluation.effect import Counts, Side
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.monitoring.performance.effect import Part, Week, describe_effect, effect_rows
from churn_spark.pipeline.dates import LogDates
from churn_spark.pipeline.gather import Night
from churn_spark.pipeline.labels import write_missing_labels
from churn_spark.pipeline.monitor import record_effect
from churn_spark.reports.night.page import render_night
from churn_spark.serving.page_parts import describe_campaign, describe_health, render
from churn_spark.serving.stores import NewestPartition, read_all
from churn_spark.timeline import LogSpan
from tests.local_lakehouse import open_local

PLACEHOLDERS = load_config().night
CONFIG = load_config(overrides=["costs.missed_cancel=40"]).night
MONDAY = date(2026, 3, 2)
NOON = datetime.combine(MONDAY, time(12))
NIGHT = MONDAY + timedelta(days=6 + 15)
"""The first night that knows the labels of that week's lists: a day of gap, and two weeks."""


def write(lakehouse: Lakehouse, spec: Any, rows: Sequence[Mapping[str, Any]]) -> None:
    whole = [tuple(row.get(name) for name in spec.column_names) for row in rows]
    (column,) = spec.partition_by
    lakehouse.replace_rows(whole, spec, {column: sorted({row[column] for row in rows})})


def write_list(
    lakehouse: Lakehouse,
    day: date,
    users: Sequence[int],
    share: float = 0.25,
    campaign: str = "spring",
) -> None:
    """Users by number: every fourth is withheld, every third cancels, the even ones pay."""
    keys = [{"as_of": day, "user_id": f"{n:03}"} for n in users]
    write(
        lakehouse,
        RETENTION_LISTS,
        [
            key
            | {"assignment": "control" if n % 4 == 0 and share else "listed", "campaign": campaign}
            | {"control_share": share, "risk_band": "high" if n < 20 else "low"}
            for key, n in zip(keys, users, strict=True)
        ],
    )
    window = {"horizon_days": 14, "gap_days": 1, "is_known": True}
    write(
        lakehouse,
        LABELS,
        [
            key | window | {"label": None if n == 6 else int(n % 3 == 0), "is_gap_cancel": n == 6}
            for key, n in zip(keys, users, strict=True)
        ],
    )
    write(
        lakehouse,
        SNAPSHOTS,
        [
            key | {"last_subscription_level": ("paid", "free")[n % 2]}
            for key, n in zip(keys, users, strict=True)
        ],
    )


def write_contacts(
    lakehouse: Lakehouse,
    rows: Sequence[tuple[int, int, str, str]],
    made_on: Mapping[int, datetime] = MappingProxyType({}),
) -> None:
    write(
        lakehouse,
        CONTACTS,
        [
            {
                "list_date": MONDAY + timedelta(days=day), "user_id": f"{n:03}", "channel": "call",
                "contact_ts": made_on.get(n, NOON), "offer": offer, "cost": 2.0,
                "outcome": outcome,
            }
            for n, day, offer, outcome in rows
        ],
    )  # fmt: skip


def night_of(day: date = NIGHT) -> Night:
    log = LogDates(LogSpan(date(2026, 1, 5), day), day, frozenset())
    return Night(day, log, (), RegistryState())


@pytest.fixture
def lakehouse(tmp_path: Path) -> Lakehouse:
    return open_local(tmp_path)


def rows_of(lakehouse: Lakehouse, **wanted: Any) -> list[dict[str, Any]]:
    rows = [row.asDict() for row in lakehouse.collect_rows(EFFECT)]
    return [row for row in rows if all(row[name] == value for name, value in wanted.items())]


def test_each_user_counts_once_in_the_week_of_the_first_list(lakehouse: Lakehouse) -> None:
    write_list(lakehouse, MONDAY, range(40))
    # The same come again, and ten more: only these are new.
    write_list(lakehouse, MONDAY + timedelta(days=2), range(10, 50))
    record_effect(lakehouse, night_of(), CONFIG)
    [row] = rows_of(lakehouse, slice="all", period="total", basis="listed")
    control = [n for n in range(50) if n % 4 == 0]
    listed = [n for n in range(50) if n % 4]
    # Number 6 cancels in the gap, which is after the draw: it counts.
    lost = {n for n in range(50) if n % 3 == 0 or n == 6}
    assert (row["n_control"], row["n_listed"]) == (len(control), len(listed))
    assert row["n_control_cancel"] == len(lost.intersection(control))
    assert row["n_listed_cancel"] == len(lost.intersection(listed))
    assert (row["campaign"], row["week_start"], row["n_weeks"]) == ("spring", MONDAY, 1)
    paid = rows_of(lakehouse, slice="level=paid", period="week", basis="listed")
    assert [one["n_control"] for one in paid] == [len(control)]
    bands = rows_of(lakehouse, slice="band=high", period="week", basis="listed")
    assert [one["n_listed"] for one in bands] == [sum(1 for n in listed if n < 20)]


def test_contacts_in_the_window_count_with_offer_and_cost(lakehouse: Lakehouse) -> None:
    write_list(lakehouse, MONDAY, range(40))
    write_contacts(
        lakehouse,
        [
            (1, 0, "", "reached"), (1, 3, "month", "accepted"), (2, 0, "month", "not_reached"),
            (9, 14, "month", "accepted"),
            (3, 14, "", "declined"), (5, 15, "month", "accepted"), (4, 0, "month", "reached"),
        ],
        made_on={3: NOON + timedelta(days=14), 9: NOON + timedelta(days=15)},
    )  # fmt: skip
    record_effect(lakehouse, night_of(), CONFIG)
    [row] = rows_of(lakehouse, slice="all", period="total", basis="contact")
    # 5 is of a list after the window, 9 was called after it; 2 in vain, 4 is withheld.
    assert (row["n_contacted"], row["n_contacted_cancel"]) == (2, 1)
    assert (row["n_control_contacted"], row["n_control_contacted_cancel"]) == (1, 0)
    [whole] = rows_of(lakehouse, slice="all", period="total", basis="listed")
    assert whole["cost"] == 8.0
    share = whole["n_control_cancel"] / 10 - whole["n_listed_cancel"] / 30
    assert whole["net"] == pytest.approx(share * 30 * CONFIG.costs.missed_cancel - 8.0)
    [month] = rows_of(lakehouse, slice="offer=month", period="total")
    assert (month["basis"], month["n_listed"], month["n_control"]) == ("contact", 1, 10)
    assert rows_of(lakehouse, slice="offer=none", period="total")[0]["n_listed"] == 1


def test_no_money_is_told_while_the_costs_are_placeholders(lakehouse: Lakehouse) -> None:
    write_list(lakehouse, MONDAY, range(200))
    write_contacts(lakehouse, [(n, 0, "", "reached") for n in range(200) if n % 4])
    record_effect(lakehouse, night_of(), PLACEHOLDERS)
    [whole] = rows_of(lakehouse, slice="all", period="total", basis="listed")
    assert whole["cost"] == 300.0
    assert {whole[name] for name in ("net", "net_low", "net_high")} == {None}
    assert "Contacts have cost" not in " ".join(describe_effect(rows_of(lakehouse)))


def test_money_is_of_the_interval_for_all_looks() -> None:
    part = Part(Counts(Side(1800, 180, 1200, 100), Side(200, 40)), 50.0)
    row, *_ = effect_rows({Week("spring", 0.1, MONDAY): {"all": part}}, 10.0)
    for end in ("low", "high"):
        assert row[f"net_{end}"] == pytest.approx(row[f"always_{end}"] * 1800 * 10.0 - 50.0)
    assert row["always_low"] < row["low"] < row["high"] < row["always_high"]


def test_weeks_add_up_and_a_night_that_knows_no_more_writes_nothing(lakehouse: Lakehouse) -> None:
    write_list(lakehouse, MONDAY, range(40))
    write_list(lakehouse, MONDAY + timedelta(days=7), range(20, 100))
    for days in range(8):
        record_effect(lakehouse, night_of(NIGHT + timedelta(days=days)), CONFIG)
    assert {row["run_date"] for row in rows_of(lakehouse)} == {NIGHT, NIGHT + timedelta(days=7)}
    weeks = rows_of(lakehouse, period="week", slice="all", run_date=NIGHT + timedelta(days=7))
    [total] = rows_of(lakehouse, period="total", slice="all", run_date=NIGHT + timedelta(days=7))
    assert sorted(row["n_listed"] for row in weeks) == [30, 45]
    assert (total["n_listed"], total["n_control"], total["n_weeks"]) == (75, 25, 2)
    before = rows_of(lakehouse)
    record_effect(lakehouse, night_of(NIGHT + timedelta(days=7)), CONFIG)
    assert sorted(map(str, rows_of(lakehouse))) == sorted(map(str, before))


def test_weeks_of_a_pause_in_the_nights_are_counted_after_it(lakehouse: Lakehouse) -> None:
    """None of the six weeks between is among the newest four by then."""
    record = [(week, range(40 * week, 40 * week + 40)) for week in range(8)]
    for week, users in record:
        write_list(lakehouse, MONDAY + timedelta(weeks=week), users)
    record_effect(lakehouse, night_of(), CONFIG)
    after = NIGHT + timedelta(weeks=7)
    record_effect(lakehouse, night_of(after), CONFIG)
    weeks = rows_of(lakehouse, period="week", slice="all", basis="listed", run_date=after)
    assert [row["week_start"] for row in sorted(weeks, key=lambda row: row["week_start"])] == [
        MONDAY + timedelta(weeks=week) for week in range(1, 8)
    ]
    [total] = rows_of(lakehouse, period="total", slice="all", basis="listed", run_date=after)
    assert (total["n_weeks"], total["n_listed"], total["n_control"]) == (8, 240, 80)


def test_week_that_nobody_knows_the_outcome_of_is_no_new_one_each_night(
    lakehouse: Lakehouse,
) -> None:
    write_list(lakehouse, MONDAY, range(40))
    write_list(lakehouse, MONDAY + timedelta(weeks=1), range(40, 44))
    unknown = {"as_of": MONDAY + timedelta(weeks=1), "horizon_days": 14, "gap_days": 1}
    write(lakehouse, LABELS, [{**unknown, "user_id": f"{n:03}"} for n in range(40, 44)])
    record_effect(lakehouse, night_of(NIGHT + timedelta(weeks=1)), CONFIG)
    assert record_effect(lakehouse, night_of(NIGHT + timedelta(days=8)), CONFIG) == []


def test_with_another_window_of_the_labels_no_user_of_a_week_is_lost(lakehouse: Lakehouse) -> None:
    """Stored are labels of 14 days; those of ten, on one date for a training, aren't all."""
    write_list(lakehouse, MONDAY, range(4))
    write_list(lakehouse, MONDAY + timedelta(days=1), range(4, 40))
    record_effect(lakehouse, night_of(), CONFIG)
    other = load_config(overrides=["costs.missed_cancel=40", "labels.horizon_days=10"]).night
    cancels = {"007": NOON + timedelta(days=11), "008": NOON + timedelta(days=13)}
    days = [
        {"user_id": user, "event_date": at.date(), "cancel_ts": at} for user, at in cancels.items()
    ]
    write(lakehouse, SESSION_DAYS, days)
    write_missing_labels(lakehouse, [MONDAY], other.learning.labels, NIGHT)
    write_list(lakehouse, MONDAY + timedelta(days=7), range(40, 60))
    record_effect(lakehouse, night_of(NIGHT + timedelta(days=7)), other)
    weeks = rows_of(lakehouse, slice="all", period="week", run_date=NIGHT + timedelta(days=7))
    assert [(row["n_listed"], row["n_control"]) for row in weeks] == [(30, 10), (15, 5)]
    # Listed on the Tuesday, with a gap of a day: the window of ten days ends on the second Friday.
    assert [row["n_listed_cancel"] + row["n_control_cancel"] for row in weeks] == [1, 0]


def test_of_users_whose_outcome_nobody_knows_nothing_is_told(lakehouse: Lakehouse) -> None:
    write_list(lakehouse, MONDAY, range(4))
    unknown = {"as_of": MONDAY, "horizon_days": 14, "gap_days": 1, "is_known": False}
    write(lakehouse, LABELS, [unknown | {"user_id": f"{n:03}"} for n in range(4)])
    assert record_effect(lakehouse, night_of(), CONFIG) == []


def test_campaigns_and_shares_are_told_apart(lakehouse: Lakehouse) -> None:
    write_list(lakehouse, MONDAY, range(40))
    write_list(lakehouse, MONDAY + timedelta(days=3), range(40), campaign="summer")
    record_effect(lakehouse, night_of(), CONFIG)
    found = rows_of(lakehouse, period="total", slice="all", basis="listed")
    assert {(row["campaign"], row["n_listed"]) for row in found} == {("spring", 30), ("summer", 30)}


def test_without_a_control_group_there_is_no_effect_to_tell(lakehouse: Lakehouse) -> None:
    write_list(lakehouse, MONDAY, range(40), share=0.0)
    assert record_effect(lakehouse, night_of(), CONFIG) == []
    assert not lakehouse.exists(EFFECT)


def test_effect_is_told_with_what_is_still_needed(lakehouse: Lakehouse) -> None:
    write_list(lakehouse, MONDAY, range(200))
    write_contacts(lakehouse, [(n, 0, "", "reached") for n in range(200) if n % 4])
    record_effect(lakehouse, night_of(), CONFIG)
    told = describe_effect(rows_of(lakehouse))
    assert told[0].startswith(
        "In 1 week of campaign spring, up to that of 2026-03-02, 200 users qualified for the list "
        "for the first time: 150 were listed, of whom 33.3 % cancelled, and 50 withheld as control "
        "group, of whom 34.0 %"
    )
    assert "valid however often it is looked at): no significant effect yet" in told[1]
    # Reached was everybody listed.
    assert told[2].startswith("Of 100 contacted, 0.7 were kept (")
    assert told[3].startswith(
        "Contacts have cost 300; the value of the users kept minus that cost is "
    )
    assert told[4].startswith("To detect a reduction of the cancellations by a fifth takes about ")
    assert describe_effect([]) == []


def test_before_anything_is_known_of_the_listed_no_contact_and_no_money_is_told(
    lakehouse: Lakehouse,
) -> None:
    write_list(lakehouse, MONDAY, range(60))
    write_contacts(lakehouse, [(n, 0, "", "reached") for n in range(60) if n % 4])
    record_effect(lakehouse, night_of(), CONFIG)
    found = rows_of(lakehouse, slice="all", period="total")
    assert all(row["saved"] is not None for row in found)
    told = describe_effect(found)
    assert told[1] == "That is too few to say what the list has changed."
    assert "kept" not in " ".join(told)


def test_pages_show_the_effect(lakehouse: Lakehouse) -> None:
    write_list(lakehouse, MONDAY, range(200))
    write_contacts(lakehouse, [(n, 0, "month", "reached") for n in range(200) if n % 4])
    record_effect(lakehouse, night_of(), CONFIG)
    data = build_nights(20, names=NAMES[:12], n_windows=1)
    assert "What calling changes" not in render_night(data)
    page = render_night(replace(data, effect=lakehouse.read_rows(EFFECT)))
    assert read(page)
    newest = NewestPartition(lakehouse.root, EFFECT, read_all)
    newest.look()
    shown = render(
        "model.html",
        title="Model health", here="model", form_token="", checks={}, run_date="", thresholds="",
        lately=(), reach="", card=None, predicts="", effect=describe_campaign(newest.newest),
        **describe_health([], []),
    ).decode()  # fmt: skip
    assert read(shown)
    for text in (page, shown):
        plain = " ".join(unescape(text).split())
        for sentence in describe_effect(rows_of(lakehouse)):
            assert sentence in plain
        assert "offer: month" in plain
