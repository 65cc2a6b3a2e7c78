"""The calibration shifts the log-odds until the mean probability is the share of cancels."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from churn_spark.models.calibration import Calibration

MARGINS = st.lists(st.floats(-20, 20), min_size=2, max_size=20)
SHIFTS = st.floats(-10, 10)


def labels_of(n: int, n_positive: int) -> np.ndarray:
    return np.array([1] * n_positive + [0] * (n - n_positive))


@pytest.mark.parametrize(
    ("shift", "margin", "expected"),
    [(0.0, 0.0, 0.5), (-math.log(9), 0.0, 0.1), (-math.log(16), math.log(4), 0.2)],
)
def test_odds_are_multiplied_by_the_exponential_of_the_shift(
    shift: float, margin: float, expected: float
) -> None:
    found = Calibration(shift).probabilities(np.array([margin]))
    assert found == pytest.approx([expected], rel=1e-12)


@given(p=st.floats(1e-6, 1 - 1e-6), weight=st.floats(0.01, 1000))
def test_probability_is_restored_when_its_odds_were_weighted(p: float, weight: float) -> None:
    weighted = np.array([math.log(weight * p / (1 - p))])
    assert Calibration(-math.log(weight)).probabilities(weighted) == pytest.approx([p], rel=1e-9)


def test_whole_weight_is_taken_off_when_the_model_has_learnt_it() -> None:
    # 30 cancels counted 9-fold beside 270 stays: the weighted odds are 1, the true ones 1/9.
    margins = np.full(300, math.log(30 * 9 / 270))
    found = Calibration.match_base_rate(margins, labels_of(300, 30))
    assert found.log_odds_shift == pytest.approx(-math.log(9))


def test_nothing_is_shifted_when_the_mean_is_right_already() -> None:
    margins = np.array([math.log(0.9 / 0.1), math.log(0.1 / 0.9)])
    found = Calibration.match_base_rate(margins, labels_of(2, 1))
    assert found.log_odds_shift == pytest.approx(0.0, abs=1e-9)


@given(margins=MARGINS, data=st.data())
def test_mean_probability_is_the_share_of_cancels(
    margins: list[float], data: st.DataObject
) -> None:
    n_positive = data.draw(st.integers(1, len(margins) - 1))
    calibration = Calibration.match_base_rate(
        np.array(margins), labels_of(len(margins), n_positive)
    )
    mean = calibration.probabilities(np.array(margins)).mean()
    assert mean == pytest.approx(n_positive / len(margins), abs=1e-9)


@given(margins=MARGINS, moved=SHIFTS)
def test_constant_in_the_margins_is_taken_off_again(margins: list[float], moved: float) -> None:
    labels = labels_of(len(margins), 1)
    plain = Calibration.match_base_rate(np.array(margins), labels)
    found = Calibration.match_base_rate(np.array(margins) + moved, labels)
    np.testing.assert_allclose(
        found.probabilities(np.array(margins) + moved),
        plain.probabilities(np.array(margins)),
        atol=1e-9,
    )


@pytest.mark.parametrize("labels", [[0, 0], [1, 1]])
def test_shift_is_refused_when_only_one_class_is_present(labels: list[int]) -> None:
    with pytest.raises(ValueError, match="expected both classes"):
        Calibration.match_base_rate(np.array([0.1, 0.2]), np.array(labels))


@given(margins=MARGINS, shift=SHIFTS)
def test_order_of_users_is_kept(margins: list[float], shift: float) -> None:
    probabilities = Calibration(shift).probabilities(np.sort(margins))
    assert np.all(np.diff(probabilities) >= 0)


@given(margin=st.floats(-20, 20), first=SHIFTS, second=SHIFTS)
def test_probability_falls_when_the_shift_falls(margin: float, first: float, second: float) -> None:
    low, high = (Calibration(s).probabilities(np.array([margin])) for s in sorted((first, second)))
    assert low <= high


@given(margins=st.lists(st.floats(allow_nan=False), max_size=10), shift=SHIFTS)
def test_probabilities_stay_between_zero_and_one_at_any_margin(
    margins: list[float], shift: float
) -> None:
    found = Calibration(shift).probabilities(np.array(margins))
    assert np.all((found >= 0) & (found <= 1))


def test_probabilities_have_the_shape_of_the_margins() -> None:
    found = Calibration(0.0).probabilities(np.zeros((2, 3), dtype=np.float32))
    assert (found.shape, found.dtype) == ((2, 3), np.float64)


@given(shift=SHIFTS)
def test_calibration_is_equal_after_a_round_trip_through_json(shift: float) -> None:
    calibration = Calibration(shift)
    assert Calibration.from_json(calibration.to_json()) == calibration
