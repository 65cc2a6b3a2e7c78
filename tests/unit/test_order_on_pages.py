"""The night's page tells by what the lists to come are ordered, on the night and after it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from html import unescape
from pathlib import Path

import pandas as pd
from night_builders import NAMES, build_nights
from pages import read

from churn_spark.contracts.tables import EFFECT, RETENTION_LISTS
from churn_spark.evaluation.effect import Counts, Side
from churn_spark.monitoring.performance.effect import Part, Week, effect_rows
from churn_spark.monitoring.policy.evidence import Evidence, OrderEvidence
from churn_spark.monitoring.policy.history import Entry
from churn_spark.monitoring.policy.order import decide_order
from churn_spark.reports.night.data import NightData
from churn_spark.reports.night.effect import effect_sections
from churn_spark.reports.night.page import render_night
from churn_spark.reports.night.store import is_list_by_effect
from churn_spark.reports.page import Table
from tests.local_lakehouse import open_local


def with_order(data: NightData, days_ago: int, low: float) -> NightData:
    """The nights with an effect, and an order decided some days ago."""
    week = data.night - timedelta(days=21)
    sides = Counts(Side(900, 90, 500, 40), Side(100, 20))
    rows = effect_rows({Week("spring", 0.1, week): {"all": Part(sides)}}, 10.0)
    columns = dict.fromkeys(EFFECT.column_names)
    effect = pd.DataFrame([columns | row | {"run_date": data.night} for row in rows])
    order = OrderEvidence(
        week, "spring", 0.1, 900, 90, 100, 20, 20, 9_000, 0.02, 0.01, 0.01, low, 0.03
    )
    night = data.night - timedelta(days=days_ago)
    decision, state = decide_order(order, night), data.state
    entry = Entry(1, decision, state, Evidence(500, order=order), state, data.policy)
    return replace(data, effect=effect, entries=(*data.entries, entry))


def test_page_tells_the_order_that_was_decided_tonight() -> None:
    data = with_order(build_nights(20, names=NAMES[:12], n_windows=1), 0, 0.002)
    page = render_night(data)
    assert read(page)
    plain = " ".join(unescape(page).split())
    assert "order of the list" in plain
    assert "by effect: 1,000 users of campaign spring, 100 of them withheld" in plain
    assert f"ordered by what listing a user saves. Decided on {data.night}: by effect: " in plain
    # What the night is about is still the model.
    assert data.decided is not None
    assert data.decided.decision.kind != "order"
    assert data.is_drift_judged


def plain_text(data: NightData) -> str:
    return " ".join(unescape(render_night(data)).split())


def test_page_says_where_a_decision_for_lists_by_effect_no_longer_holds() -> None:
    """Another campaign, say, or two months without a decision: the night's list is by risk."""
    data = with_order(build_nights(90, names=NAMES[:12], n_windows=1), 60, 0.002)
    decided = data.night - timedelta(days=60)
    told = plain_text(data)
    assert "The lists to come are ordered by what listing a user saves" not in told
    assert (
        f"No list by what listing a user saves as of {data.night}, though that was decided on "
        f"{decided} for campaign spring: such a decision holds for 28 days"
    ) in told
    holds = plain_text(replace(data, is_list_by_effect=True))
    assert f"ordered by what listing a user saves. Decided on {decided}: by effect: " in holds


def test_night_is_by_effect_where_its_list_has_expected_saves(tmp_path: Path) -> None:
    lakehouse, night = open_local(tmp_path), date(2026, 3, 2)
    columns = dict.fromkeys(RETENTION_LISTS.column_names)
    users: dict[date, dict[str, float | None]] = {
        night: {"u": 0.02, "v": None}, night + timedelta(days=1): {"u": None}
    }  # fmt: skip
    rows = [
        (*(columns | {"as_of": day, "user_id": user, "expected_saves": saves}).values(),)
        for day, known in users.items()
        for user, saves in known.items()
    ]
    lakehouse.replace_rows(rows, RETENTION_LISTS, {"as_of": [*users]})
    assert is_list_by_effect(lakehouse, night)
    assert not is_list_by_effect(lakehouse, night + timedelta(days=1))
    assert not is_list_by_effect(lakehouse, night + timedelta(days=2))


def test_weeks_are_those_of_the_share_that_is_told() -> None:
    data = with_order(build_nights(20, names=NAMES[:12], n_windows=1), 3, -0.002)
    week = data.night - timedelta(days=21)
    shares = {0.1: 90, 0.5: 50}
    weeks = {
        Week("spring", share, week): {"all": Part(Counts(Side(n, 9), Side(100 - n, 9)))}
        for share, n in shares.items()
    }
    columns = dict.fromkeys(EFFECT.column_names)
    rows = [columns | row | {"run_date": data.night} for row in effect_rows(weeks, 10.0)]
    [section] = effect_sections(replace(data, effect=pd.DataFrame(rows)))
    [by_week] = [one for one in section.blocks if isinstance(one, Table) and one.folded]
    assert [(row[0].text, row[1].text) for row in by_week.rows] == [(str(week), "50")]


def test_page_of_a_later_night_still_tells_it() -> None:
    data = with_order(build_nights(20, names=NAMES[:12], n_windows=1), 3, -0.002)
    plain = " ".join(unescape(render_night(data)).split())
    assert "The lists to come are ordered by risk. Decided on " in plain
    assert "an order that keeps 5 of 100 cancels more takes about 9,000 users" in plain
