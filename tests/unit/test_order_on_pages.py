"""The night's page tells by what the lists to come are ordered, on the night and after it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from html import unescape

import pandas as pd
from night_builders import NAMES, build_nights
from pages import read

from churn_spark.contracts.tables import EFFECT
from churn_spark.evaluation.effect import Counts, Side
from churn_spark.monitoring.performance.effect import Part, Week, effect_rows
from churn_spark.monitoring.policy.evidence import Evidence, OrderEvidence
from churn_spark.monitoring.policy.history import Entry
from churn_spark.monitoring.policy.order import decide_order
from churn_spark.reports.night.data import NightData
from churn_spark.reports.night.page import render_night


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


def test_page_of_a_later_night_still_tells_it() -> None:
    data = with_order(build_nights(20, names=NAMES[:12], n_windows=1), 3, -0.002)
    plain = " ".join(unescape(render_night(data)).split())
    assert "The lists to come are ordered by risk. Decided on " in plain
    assert "an order that keeps 5 of 100 cancels more takes about 9,000 users" in plain
