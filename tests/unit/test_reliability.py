"""Reliability bins and the recalibration line against scipy, scikit-learn and known truth."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn.linear_model import LogisticRegression

from churn_spark.evaluation.reliability import (
    calibration_line,
    log_odds,
    reliability_bins,
    wilson_interval,
)

LABELS = st.lists(st.integers(0, 1), min_size=4, max_size=40)
WEIGHTS = st.integers(0, 3)


@given(n=st.integers(1, 500), data=st.data())
def test_wilson_interval_is_that_of_scipy(n: int, data: st.DataObject) -> None:
    hits = data.draw(st.integers(0, n))
    low, high = wilson_interval(np.array([hits]), np.array([n]))
    expected = binomtest(hits, n).proportion_ci(method="wilson")
    assert (low[0], high[0]) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_bins_are_the_quarters_of_the_rows_from_the_lowest_up() -> None:
    labels = np.array([1, 0, 1, 1, 0, 0, 0, 1])
    probabilities = np.array([0.9, 0.8, 0.7, 0.6, 0.4, 0.3, 0.2, 0.1])
    found = reliability_bins(labels, probabilities, np.arange(8), n_bins=4)
    assert found.predicted == pytest.approx([0.15, 0.35, 0.65, 0.85])
    assert found.observed == pytest.approx([0.5, 0.0, 1.0, 0.5])
    assert found.n.tolist() == [2, 2, 2, 2]
    assert np.all((found.low <= found.observed) & (found.observed <= found.high))


def test_equal_rows_are_spread_over_the_bins_by_their_share() -> None:
    # Three rows at 0.5 lie across the boundary of two bins of two and a half rows.
    probabilities = np.array([0.1, 0.5, 0.5, 0.5, 0.9])
    found = reliability_bins(np.array([0, 1, 0, 0, 1]), probabilities, np.arange(5), 2)
    assert found.predicted == pytest.approx([(0.1 + 1.5 * 0.5) / 2.5, (0.9 + 1.5 * 0.5) / 2.5])
    assert found.observed == pytest.approx([(1.5 / 3) / 2.5, (1 + 1.5 / 3) / 2.5])


def test_there_are_no_more_bins_than_rows() -> None:
    found = reliability_bins(np.array([0, 1, 0]), np.array([0.2, 0.6, 0.1]), np.arange(3))
    assert len(found.n) == 3


def test_rows_of_one_user_are_one_trial_of_a_bin() -> None:
    labels = np.array([1, 1, 0, 0, 0, 0, 1, 1])
    probabilities = np.array([0.9, 0.9, 0.7, 0.6, 0.4, 0.3, 0.2, 0.1])
    users = np.array(["a", "b", "a", "b", "c", "d", "e", "f"])
    found = reliability_bins(labels, probabilities, users, n_bins=2)
    lower = binomtest(2, 4).proportion_ci(method="wilson")
    upper = binomtest(1, 2).proportion_ci(method="wilson")
    assert found.low == pytest.approx([lower.low, upper.low])
    assert found.high == pytest.approx([lower.high, upper.high])


@given(n_users=st.integers(1, 40), n_bins=st.integers(1, 20))
def test_repeated_rows_make_no_interval_narrower(n_users: int, n_bins: int) -> None:
    rng = np.random.default_rng(n_users)
    labels, probabilities = rng.integers(0, 2, n_users), rng.integers(0, 5, n_users) / 5
    once = reliability_bins(labels, probabilities, np.arange(n_users), min(n_bins, n_users))
    twice = reliability_bins(
        np.repeat(labels, 2), np.repeat(probabilities, 2), np.repeat(np.arange(n_users), 2),
        min(n_bins, n_users),
    )  # fmt: skip
    assert np.all(twice.high - twice.low >= once.high - once.low - 1e-9)


def test_share_of_no_trial_has_no_interval() -> None:
    assert np.isnan(wilson_interval(0.0, 0)).all()


@settings(deadline=None, max_examples=60)
@given(labels=LABELS, data=st.data())
def test_line_is_the_unpenalised_fit_of_scikit_learn(
    labels: list[int], data: st.DataObject
) -> None:
    size = {"min_size": len(labels), "max_size": len(labels)}
    tenths = data.draw(st.lists(st.integers(-40, 40), **size))
    weights = np.array(data.draw(st.lists(WEIGHTS, **size)), dtype=float)
    margins = np.array(tenths) / 10
    intercept, slope = calibration_line(np.array(labels), margins, weights)
    assume(not math.isnan(slope) and abs(slope) < 20)
    fit = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000, solver="newton-cholesky")
    fit.fit(margins[:, None], labels, sample_weight=weights)
    assert (intercept, slope) == pytest.approx((fit.intercept_[0], fit.coef_[0, 0]), abs=1e-4)


@settings(deadline=None)
@given(labels=LABELS, data=st.data())
def test_gradient_is_zero_at_every_line_found_and_a_line_is_found_when_classes_overlap(
    labels: list[int], data: st.DataObject
) -> None:
    values = st.lists(st.floats(-36, 36), min_size=len(labels), max_size=len(labels))
    margins, y = np.round(np.array(data.draw(values)), 3), np.array(labels)
    positive, negative = margins[y == 1], margins[y == 0]
    overlaps = (
        len(positive) > 0
        and len(negative) > 0
        and positive.max() > negative.min()
        and negative.max() > positive.min()
    )
    intercept, slope = calibration_line(y, margins)
    assert math.isnan(slope) == (not overlaps)
    if overlaps:
        missing = y - 1 / (1 + np.exp(-(intercept + slope * margins)))
        assert abs(missing.sum()) < 1e-5
        assert abs(missing @ margins) < 1e-4


def test_line_of_calibrated_probabilities_is_the_identity() -> None:
    rng = np.random.default_rng(4)
    true = rng.beta(1, 9, 200_000)
    intercept, slope = calibration_line((rng.random(200_000) < true) * 1.0, log_odds(true))
    assert intercept == pytest.approx(0, abs=0.06)
    assert slope == pytest.approx(1, abs=0.03)


@pytest.mark.parametrize(
    ("labels", "margins"),
    [
        ([0, 0, 0], [0.1, 0.2, 0.3]),
        ([0, 1, 0], [0.2, 0.2, 0.2]),
        ([0, 0, 1, 1], [0.1, 0.2, 0.2, 0.3]),
        ([1, 1, 0, 0], [0.1, 0.2, 0.3, 0.4]),
        ([1, 1, 0, 0], [0.1, 0.2, 0.2, 0.3]),
    ],
    ids=[
        "one class",
        "all equal",
        "parted but for a tie",
        "turned round",
        "turned round with a tie",
    ],
)
def test_line_is_nan_when_no_finite_one_is_the_likeliest(
    labels: list[int], margins: list[float]
) -> None:
    assert all(math.isnan(part) for part in calibration_line(np.array(labels), np.array(margins)))


def test_rows_of_weight_zero_are_not_there() -> None:
    labels, margins = np.array([0, 1, 0, 1]), np.array([0.0, 1.0, 2.0, 3.0])
    assert not math.isnan(calibration_line(labels, margins)[1])
    assert math.isnan(calibration_line(labels, margins, np.array([1.0, 1.0, 0.0, 1.0]))[1])


def test_log_odds_of_certainty_are_finite() -> None:
    assert np.all(np.abs(log_odds(np.array([0.0, 1.0]))) < 37)
