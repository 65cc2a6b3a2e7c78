"""What the page says of the length of the list, and of one user's days."""

from __future__ import annotations

import re
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from churn_spark.config import load_config
from churn_spark.config.models import CostsConfig
from churn_spark.contracts.survival import EXPECTED_DAYS, survival_columns
from churn_spark.evaluation.evaluation import Evaluation
from churn_spark.evaluation.list_length import plan_lists
from churn_spark.evaluation.metrics import evaluate
from churn_spark.models.run_log import known_metrics
from churn_spark.models.survival.checked import CheckedCurves
from churn_spark.models.survival.shapes import knots_of
from churn_spark.serving.page_parts import render
from churn_spark.serving.page_routes import _bundle_of
from churn_spark.serving.planner import (
    break_even_offers,
    describe_basis,
    describe_lengths,
    describe_offer,
    describe_staying,
    draw_plan,
)
from churn_spark.serving.users import Users
from tests.list_builders import small_bundle

PLACEHOLDERS = load_config().costs
COSTS = CostsConfig(missed_cancel=40.0, wasted_offer=2.0, offer_success=0.25)


def users_with(chances: list[float], values: list[float]) -> Users:
    known = {
        "user_id": [f"u{place}" for place in range(len(chances))],
        "churn_probability": chances,
        "value_at_risk": values,
    }
    return Users(pa.table(known), np.arange(len(chances)), [])


def test_lengths_follow_the_order_of_the_list() -> None:
    chances = [0.1] * 20 + [0.5] * 10
    found = describe_lengths(users_with(chances, [*chances[20:], *chances[:20]]), 10, None, COSTS)
    assert found is not None
    first = found["lists"][0]
    assert (first.length, first.reached.value) == (10, pytest.approx(1.0))
    by_risk = describe_lengths(users_with(chances, chances), 10, None, COSTS)
    assert by_risk is not None
    assert by_risk["lists"][0].reached.value == pytest.approx(5.0)
    assert describe_lengths(users_with([], []), 0, None, COSTS) is None


def test_how_sure_follows_from_the_cancels_of_the_validation() -> None:
    # Fifty users who cancel and fifty who stay, each on two weekly dates.
    users = [f"u{number}" for number in range(100)] * 2
    rows = pd.DataFrame({"user_id": users, "label": [1] * 50 + [0] * 50 + [1] * 50 + [0] * 50})
    labels, chances = rows["label"].to_numpy(), np.full(200, 0.5)
    metrics = known_metrics(Evaluation(rows, evaluate(labels, chances, 0.5)))
    assert metrics["n_positive"] == 100
    of_older_release = {"n_positive": 25.0}
    for known, n_checked in ((metrics, 50), (of_older_release, 25)):
        bundle = replace(small_bundle(), metrics=known)
        found = describe_lengths(users_with([0.2] * 30, [0.2] * 30), 10, bundle, PLACEHOLDERS)
        assert found is not None
        told = f"validated, on {n_checked} cancellations of users not used for training"
        assert told in found["covers"]


def test_curve_rises_from_left_to_right_with_the_list_in_use_on_it() -> None:
    plan = plan_lists(np.linspace(0.6, 0.01, 300), 100, 0, PLACEHOLDERS)
    assert plan is not None
    chart = draw_plan(plan)
    points = [tuple(map(float, one.split(","))) for one in chart["line"].split()]
    xs, ys = zip(*points, strict=True)
    assert list(xs) == sorted(xs)
    assert list(ys) == sorted(ys, reverse=True)
    assert [*map(tuple, chart["marks"])] == [points[3]]
    assert xs[-1] == chart["width"] - 10.0
    by_chance = [tuple(map(float, one.split(","))) for one in chart["chance"].split()]
    assert by_chance == [(10.0, chart["height"] - 10.0), points[-1]]


def test_page_has_the_plan_with_money_only_where_it_costs_something() -> None:
    def page(costs: CostsConfig) -> str:
        users, offers = users_with([0.3] * 40, [0.3] * 40), None
        if not costs.are_placeholders:
            offers = [0.2]
        lengths = describe_lengths(users, 20, None, costs)
        shown: dict[str, Any] = {
            "user_id": "u1", "list_rank": 1, "churn_probability": 0.3, "value_at_risk": 0.8,
            "risk_band": "high", "reasons": [], "reason_fields": [], "would_help": [],
            "days_on_list": 1, "previous_rank": None,
        }  # fmt: skip
        listed = {"places": "20 places", "value": 1.0, "unit": "monthly fees", "n_new": 1,
                  "n_stayed": 0, "saves": None, "n_left_alone": 0}  # fmt: skip
        return render(
            "list.html", title="List", here="list", form_token="", as_of="2018-12-01",
            is_list=True, source="list", predicts="", problems=[], n_users=20, listed=listed,
            bands={"high": 20}, model_version="1", band=None, from_percent="", csv_query="",
            rows=[shown], offers=offers, lengths=lengths, first=1, last=1, n_matching=1,
            earlier=None, later=None,
        ).decode()  # fmt: skip

    without, with_costs = page(PLACEHOLDERS), page(COSTS)
    assert "offer up to" not in without
    assert "offer up to 0.2<" in with_costs
    assert "How long should the list be?" in without
    assert "Net value" not in without
    assert "Net value" in with_costs
    assert re.search(
        r'20<span class="past new">today</span></th>\s*<td class="n">6\.0</td>', without
    )
    assert re.search(r'<td class="n">14\.0</td>', without)


def scored(**changes: Any) -> dict[str, Any]:
    chances = dict(zip(survival_columns(), [0.97, 0.94, 0.9, 0.83, 0.78], strict=True))
    return {**chances, EXPECTED_DAYS: 79.6, "value_at_risk": 0.3467, **changes}


def test_user_is_told_in_days_and_what_an_offer_may_cost() -> None:
    found = describe_staying(scored(), None, COSTS, "monthly fees")
    assert found is not None
    assert found["days"] == "80 days"
    assert found["chances"][1] == (14, 0.94, "not validated")
    assert found["offer"].startswith(
        "An offer is worth making if it costs less than 0.0867: without one, 0.347 is lost on "
        "average within 90 days"
    )
    told = describe_offer(0.3467, COSTS, "monthly fees")
    assert told.endswith("keep 25 % of those who would cancel. Both figures are in monthly fees.")


@pytest.mark.parametrize("lacking", [EXPECTED_DAYS, "survival_30d"])
def test_nothing_is_told_where_an_older_release_has_scored(lacking: str) -> None:
    row = scored()
    del row[lacking]
    assert describe_staying(row, None, COSTS, "monthly fees") is None
    assert describe_staying(scored(**{lacking: None}), None, COSTS, "monthly fees") is None


@pytest.mark.parametrize(
    ("cancels", "told"),
    [
        ([], "These figures are extrapolated by the model and were never validated on the log."),
        ([3, 9, 0, 0, 0], "These figures are extrapolated by the model and not validated: of the"),
        ([50, 50, 50, 3, 0], "These figures were validated for up to 30 days, on users not used"),
        ([50, 50, 50, 50, 50], "These figures were validated for up to 90 days, on users not used"),
    ],
)
def test_page_says_what_the_curves_rest_on(cancels: list[float], told: str) -> None:
    checked = None
    if cancels:
        ones = np.ones(5)
        checked = CheckedCurves(knots_of(14), np.array(cancels, dtype=float), 49 * ones)
    found = describe_basis(replace(small_bundle(), checked=checked))
    assert found.startswith(told)
    assert ("150 of them cancel" in found and "147 were expected" in found) is (
        cancels[3:] == [3, 0]
    )
    assert ("Beyond, they are extrapolated" in found) is (cancels[3:] == [3, 0])


def test_of_a_model_that_is_not_in_use_no_validation_is_told() -> None:
    """After a promotion the newest scores are of the champion before."""
    bundle = replace(small_bundle(), version="8")
    champion = SimpleNamespace(predictor=SimpleNamespace(bundle=bundle))
    service: Any = SimpleNamespace(champion=champion)
    assert _bundle_of(service, "8") is bundle
    assert _bundle_of(service, "7") is None
    service.champion.predictor = None
    assert _bundle_of(service, "8") is None
    assert describe_basis(None).endswith("how far they were validated is not known.")


# Garwood's 95 % intervals of 50 and of 100 are 37.11 to 65.92 and 81.36 to 121.63.
@pytest.mark.parametrize(
    ("expected", "within"),
    [
        ((25.0, 50.0), ("92 % to 97 %", "90 % to 94 %")),
        ((100.0, 100.0), ("97 % to 99 %", "94 % to 98 %")),
        ((50.0, 50.0), ("96 % to 98 %", "93 % to 95 %")),
    ],
)
def test_interval_reaches_from_what_was_said_to_what_happened(
    expected: tuple[float, float], within: tuple[str, str]
) -> None:
    cancels = np.array([50.0, 50.0, 3.0, 0.0, 0.0])
    checked = CheckedCurves(knots_of(14), cancels, np.array([*expected, 9.0, 9.0, 9.0]))
    found = describe_staying(
        scored(), replace(small_bundle(), checked=checked), COSTS, "monthly fees"
    )
    assert found is not None
    told = [text for _, _, text in found["chances"]]
    assert told == [*within, "not validated", "not validated", "not validated"]


def test_list_names_no_offer_while_costs_are_placeholders() -> None:
    rows = [{"value_at_risk": 0.8}, {"value_at_risk": 0.4}]
    assert break_even_offers(rows, PLACEHOLDERS) is None
    assert break_even_offers(rows, COSTS) == pytest.approx([0.2, 0.1])
