"""How long users stay: curves against plain Python, day by day, and laws that must hold."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from churn_spark.contracts.survival import CAP_DAYS, FEE_DAYS, SURVIVAL_DAYS, survival_columns
from churn_spark.evaluation.treated import treatment_weights, weigh_rows, weights_in
from churn_spark.models.offset import Offset
from churn_spark.models.survival.checked import CheckedCurves, check_curves
from churn_spark.models.survival.curves import Curves
from churn_spark.models.survival.shapes import knots_of, shape_of
from churn_spark.scoring.scores import value_at_risk
from churn_spark.timeline import Horizon

DAYS = knots_of(14)
CHANCES = st.floats(0.0, 1.0)
STEPS = st.lists(st.floats(0.0, 2.0), min_size=len(DAYS), max_size=len(DAYS))


def curve(steps: list[float], days: np.ndarray = DAYS) -> Curves:
    return Curves(days, np.cumsum([steps], axis=1))


def stays(steps: list[float], day: int, days: np.ndarray = DAYS) -> float:
    """Day by day: each day of a stretch takes its share of the stretch's hazard."""
    chance, begin = 1.0, 0
    for step, end in zip(steps, days.astype(int).tolist(), strict=True):
        for one in range(begin, end):
            if one < day:
                chance *= math.exp(-step / (end - begin))
        begin = end
    return chance


@given(STEPS)
def test_chances_to_stay_are_those_of_day_by_day(steps: list[float]) -> None:
    asked = [0, 1, 7, 10, 29, 61, 90]
    found = curve(steps).survival(asked)[0]
    np.testing.assert_allclose(found, [stays(steps, day) for day in asked], rtol=1e-9)


@given(STEPS)
def test_expected_days_are_the_sum_of_the_chances_to_see_each(steps: list[float]) -> None:
    expected = sum(stays(steps, day) for day in range(CAP_DAYS))
    assert curve(steps).expected_days(CAP_DAYS)[0] == pytest.approx(expected, rel=1e-9)


@given(STEPS)
def test_longer_is_never_likelier(steps: list[float]) -> None:
    assert (np.diff(curve(steps).survival(range(CAP_DAYS + 1))) <= 0).all()


@given(STEPS, CHANCES)
def test_chance_of_the_window_is_the_one_that_is_served(steps: list[float], chance: float) -> None:
    led = curve(steps).led_through(np.array([chance]), 14)
    assert 1 - led.survival([14])[0, 0] == pytest.approx(chance, abs=1e-9)


@given(STEPS, CHANCES, CHANCES)
def test_who_is_likelier_to_cancel_stays_less_long(
    steps: list[float], one: float, other: float
) -> None:
    low, high = sorted([one, other])
    few, many = (curve(steps).led_through(np.array([p]), 14) for p in (low, high))
    assert (many.survival(SURVIVAL_DAYS) <= few.survival(SURVIVAL_DAYS) + 1e-12).all()
    assert many.expected_days(CAP_DAYS)[0] <= few.expected_days(CAP_DAYS)[0] + 1e-9


def forecasts(**a_day: tuple[float, float]) -> pd.DataFrame:
    """One user; of each model the hazard a day up to day 14 and after it."""
    found: dict[str, list[float]] = {}
    for model, (early, late) in a_day.items():
        found[f"{model}_probability"] = [1 - math.exp(-14 * early)]
        for name, days in zip(survival_columns(model), SURVIVAL_DAYS, strict=True):
            found[name] = [math.exp(-min(days, 14) * early - max(days - 14, 0) * late)]
    return pd.DataFrame(found)


@pytest.mark.parametrize(
    ("slopes", "after_90"),
    [
        ({"behaviour_probability": 0.9}, 1 + 76 / 14),
        ({"fading_probability": 0.4}, 1 + 0.5 * 76 / 14),
        ({"behaviour_probability": 0.3, "fading_probability": 0.1}, 1 + 0.875 * 76 / 14),
        ({}, 90 / 14),
    ],
)
def test_shape_is_that_of_the_models_by_their_share_in_the_offset(
    slopes: dict[str, float], after_90: float
) -> None:
    rows = forecasts(behaviour=(0.001, 0.001), fading=(0.02, 0.01))
    found = shape_of(rows, Offset(slopes, 0.0, 0.03), 14)
    np.testing.assert_allclose(found.hazards_at([14, 90])[0], [1.0, after_90], rtol=1e-9)


def test_hazard_is_even_where_no_model_knows_the_user() -> None:
    rows = forecasts(behaviour=(0.001, 0.002)) * np.nan
    for offset in (None, Offset({"behaviour_probability": 1.0}, 0.0, 0.03)):
        np.testing.assert_allclose(shape_of(rows, offset, 10).hazards[0], knots_of(10) / 10)


def cancels_by_hand(
    steps: list[float], cancelled: list[float], watched: list[float]
) -> tuple[list[int], list[float]]:
    """Cancels and expected ones of each stretch, all users alike, half a day at a time."""
    cancels, expected, begin = [], [], 0.0
    for step, end in zip(steps, DAYS.tolist(), strict=True):
        halves = np.arange(begin, end, 0.5)
        lived = [
            sum(half < min(c, w) for half in halves) / len(halves)
            for c, w in zip(cancelled, watched, strict=True)
        ]
        expected.append(step * sum(lived))
        cancels.append(
            sum(begin <= c < end and c < w for c, w in zip(cancelled, watched, strict=True))
        )
        begin = end
    return cancels, expected


def test_check_counts_only_what_was_watched() -> None:
    cancelled = [3.5, 8.5, 13.5, 20.5, 20.5, 40.5, math.inf, math.inf]
    watched = [60.0, 60.0, 60.0, 25.0, 18.0, 60.0, 60.0, 25.0]
    steps = [0.1, 0.2, 0.4, 0.5, 0.6]
    cancels, expected = cancels_by_hand(steps, cancelled, watched)
    curves = Curves(DAYS, np.cumsum(np.tile(steps, (8, 1)), axis=1))
    found = check_curves(curves, np.array(cancelled), np.array(watched), np.ones(8))
    assert cancels == [1, 2, 1, 1, 0]
    np.testing.assert_allclose(found.cancels, cancels)
    np.testing.assert_allclose(found.expected, expected)
    assert found.expected[-1] == 0.0  # nobody was watched for so long


def test_right_curves_expect_what_happens() -> None:
    rng, n = np.random.default_rng(3), 40_000
    steps = np.array([0.1, 0.1, 0.05, 0.2, 0.1])
    curves = Curves(DAYS, np.cumsum(np.tile(steps, (n, 1)), axis=1))
    hazards = np.append(0.0, np.cumsum(steps))
    days = np.interp(rng.exponential(size=n), hazards, np.append(0.0, DAYS), right=np.inf)
    found = check_curves(curves, days, np.full(n, 60.0), np.ones(n))
    assert found.cancels[:4] == pytest.approx(found.expected[:4], rel=0.07)
    assert found.measured_days == 60
    assert found.up_to(60) == pytest.approx((found.cancels[:4].sum(), found.expected[:4].sum()))


def test_right_curves_expect_what_happens_where_calls_keep_users() -> None:
    """Called are nine of ten after a row's window of 14 days, and half of them stay for good."""
    rng, n, share, called_on = np.random.default_rng(3), 40_000, 0.1, 16.0
    day, horizon = date(2026, 3, 2), Horizon(days=90, gap_days=1)
    rows = pd.DataFrame({"as_of": day, "user_id": [f"u{i}" for i in range(n)]})
    curves = Curves(DAYS, np.tile(0.01 * DAYS, (n, 1)))
    cancelled, is_withheld = rng.exponential(1 / 0.01, n), rng.random(n) < share
    is_named = cancelled > called_on
    is_kept = is_named & ~is_withheld & (rng.random(n) < 0.5)
    lists = rows[is_named].assign(
        as_of=day + timedelta(days=int(called_on) + 1),
        campaign="spring",
        assignment=np.where(is_withheld, "control", "listed")[is_named],
        control_share=share,
    )
    weights = weights_in(weigh_rows(rows, treatment_weights(lists, [day], horizon, 30)))
    days, watched = np.where(is_kept, np.inf, cancelled), np.full(n, 60.0)
    found = check_curves(curves, days, watched, np.ones(n), weights)
    happened, expected = found.up_to(60)
    # As many tell as much: not the ten thousand that they stand for.
    assert 1_500 < happened < 3_500
    assert abs(happened - expected) < 3 * math.sqrt(happened)
    as_it_happened = check_curves(curves, days, watched, np.ones(n)).up_to(60)
    assert as_it_happened[0] < 0.8 * as_it_happened[1]


def test_user_seen_on_several_dates_counts_as_one() -> None:
    cancelled, watched = np.array([3.0, 20.0, np.inf]), np.array([90.0, 50.0, 30.0])
    one = curve([0.1, 0.2, 0.4, 0.5, 0.6])
    once = check_curves(Curves(DAYS, np.tile(one.hazards, (3, 1))), cancelled, watched, np.ones(3))
    again = check_curves(
        Curves(DAYS, np.tile(one.hazards, (9, 1))),
        np.tile(cancelled, 3),
        np.tile(watched, 3),
        np.full(9, 1.0 / 3.0),
    )
    np.testing.assert_allclose(again.expected, once.expected)
    np.testing.assert_allclose(again.cancels, once.cancels)


def test_checked_curves_survive_json_and_end_at_the_first_stretch_of_few() -> None:
    checked = CheckedCurves(knots_of(10), np.array([20.0, 21, 19, 90, 0, 0]), np.zeros(6))
    again = CheckedCurves.from_dict(checked.to_dict())
    assert again.to_dict() == checked.to_dict()
    assert again.measured_days == 10
    assert replace(again, cancels=np.zeros(6)).measured_days == 0


def test_fees_at_risk_are_those_of_the_days_not_stayed() -> None:
    expected = np.array([CAP_DAYS - FEE_DAYS, CAP_DAYS - 3.0, np.nan])
    levels = pd.Series(["paid", "free", None])
    found = value_at_risk(np.array([0.5, 0.1, 0.2]), expected, levels, {"paid": 10.0, "free": 2.0})
    np.testing.assert_allclose(found, [10.0, 0.2, 0.4])
