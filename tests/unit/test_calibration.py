"""A class weight multiplies the odds; the calibration divides by it again."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from churn_spark.models.calibration import Calibration

WEIGHTS = st.floats(0.01, 1000)


@pytest.mark.parametrize(
    ("margin", "weight", "expected"),
    [(0.0, 1.0, 0.5), (0.0, 9.0, 0.1), (math.log(4), 1.0, 0.8), (math.log(4), 16.0, 0.2)],
)
def test_odds_are_divided_by_the_weight(margin: float, weight: float, expected: float) -> None:
    found = Calibration.undo_class_weight(weight).probabilities(np.array([margin]))
    assert found == pytest.approx([expected], rel=1e-12)


@given(p=st.floats(1e-6, 1 - 1e-6), weight=WEIGHTS)
def test_probability_is_restored_when_its_odds_were_weighted(p: float, weight: float) -> None:
    weighted = np.array([math.log(weight * p / (1 - p))])
    found = Calibration.undo_class_weight(weight).probabilities(weighted)
    assert found == pytest.approx([p], rel=1e-9)


def test_weighted_base_rate_is_restored_when_counted_out() -> None:
    # 30 cancels counted 9-fold beside 270 stays: the weighted rate is a half, the true one 10 %.
    margin = math.log(30 * 9 / 270)
    found = Calibration.undo_class_weight(9).probabilities(np.array([margin]))
    assert found == pytest.approx([30 / 300], rel=1e-12)


@given(
    margins=st.lists(st.floats(-30, 30), min_size=2, max_size=20),
    weight=WEIGHTS,
)
def test_order_of_users_is_kept(margins: list[float], weight: float) -> None:
    ordered = np.sort(margins)
    assert np.all(np.diff(Calibration.undo_class_weight(weight).probabilities(ordered)) >= 0)


@given(margin=st.floats(-20, 20), smaller=WEIGHTS, larger=WEIGHTS)
def test_probability_falls_when_the_weight_to_undo_grows(
    margin: float, smaller: float, larger: float
) -> None:
    smaller, larger = sorted((smaller, larger))
    low = Calibration.undo_class_weight(larger).probabilities(np.array([margin]))
    assert low <= Calibration.undo_class_weight(smaller).probabilities(np.array([margin]))


@given(margins=st.lists(st.floats(allow_nan=False), max_size=10), weight=WEIGHTS)
def test_probabilities_stay_between_zero_and_one_at_any_margin(
    margins: list[float], weight: float
) -> None:
    found = Calibration.undo_class_weight(weight).probabilities(np.array(margins))
    assert np.all((found >= 0) & (found <= 1))


def test_probabilities_have_the_shape_of_the_margins() -> None:
    found = Calibration(0.0).probabilities(np.zeros((2, 3), dtype=np.float32))
    assert (found.shape, found.dtype) == ((2, 3), np.float64)


@given(weight=WEIGHTS)
def test_calibration_is_equal_after_a_round_trip_through_json(weight: float) -> None:
    calibration = Calibration.undo_class_weight(weight)
    assert Calibration.from_json(calibration.to_json()) == calibration
