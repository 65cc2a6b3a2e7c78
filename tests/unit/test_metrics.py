"""The figures against slow, obvious definitions in plain Python."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from churn_spark.evaluation.metrics import (
    best_f1_threshold,
    choose_threshold,
    evaluate,
    gains_points,
    outcomes,
    precision_recall_points,
    roc_points,
)

Rows = list[tuple[int, float]]

# Tenths collide often, so that ties within and between the classes are tried.
_PROBABILITIES = st.one_of(st.integers(0, 10).map(lambda n: n / 10), st.floats(0, 1))
ROWS = st.lists(st.tuples(st.integers(0, 1), _PROBABILITIES), min_size=1, max_size=40)
BOTH_CLASSES = ROWS.filter(lambda rows: len({label for label, _ in rows}) == 2)
WITH_CANCELS = ROWS.filter(lambda rows: any(label for label, _ in rows))


def columns(rows: Rows) -> tuple[np.ndarray, np.ndarray]:
    return np.array([label for label, _ in rows]), np.array([p for _, p in rows], dtype=float)


def count(rows: Rows, threshold: float) -> tuple[int, int, int, int]:
    tp = sum(1 for label, p in rows if p >= threshold and label == 1)
    fp = sum(1 for label, p in rows if p >= threshold and label == 0)
    fn = sum(1 for label, p in rows if p < threshold and label == 1)
    return tp, fp, fn, len(rows) - tp - fp - fn


def f1_of(rows: Rows, threshold: float) -> Fraction:
    tp, fp, fn, _ = count(rows, threshold)
    return Fraction(2 * tp, 2 * tp + fp + fn) if tp else Fraction(0)


def auc_of(rows: Rows) -> float:
    positives = [p for label, p in rows if label == 1]
    negatives = [p for label, p in rows if label == 0]
    wins = [(p > q) + 0.5 * (p == q) for p in positives for q in negatives]
    return sum(wins) / len(wins)


def average_precision_of(rows: Rows) -> float:
    n_positive = sum(label for label, _ in rows)
    area, recall_before = 0.0, 0.0
    for threshold in sorted({p for _, p in rows}, reverse=True):
        tp, fp, _, _ = count(rows, threshold)
        area += (tp / n_positive - recall_before) * tp / (tp + fp)
        recall_before = tp / n_positive
    return area


def test_figures_of_four_users_worked_out_by_hand() -> None:
    found = evaluate(np.array([1, 0, 1, 0]), np.array([0.9, 0.8, 0.4, 0.1]), 0.5)
    assert (found.n, found.n_positive, found.threshold) == (4, 2, 0.5)
    assert (found.true_positives, found.false_positives) == (1, 1)
    assert (found.false_negatives, found.true_negatives) == (1, 1)
    assert (found.precision, found.recall, found.f1) == (0.5, 0.5, 0.5)
    assert found.roc_auc == pytest.approx(0.75)
    assert found.average_precision == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)
    assert found.brier == pytest.approx((0.01 + 0.64 + 0.36 + 0.01) / 4)
    expected = -(math.log(0.9) + math.log(0.2) + math.log(0.4) + math.log(0.9)) / 4
    assert found.log_loss == pytest.approx(expected)


@settings(max_examples=200, deadline=None)
@given(rows=ROWS, threshold=_PROBABILITIES)
def test_counts_and_rates_equal_counting_one_by_one(rows: Rows, threshold: float) -> None:
    found = evaluate(*columns(rows), threshold)
    tp, fp, fn, tn = count(rows, threshold)
    assert (found.true_positives, found.false_positives) == (tp, fp)
    assert (found.false_negatives, found.true_negatives) == (fn, tn)
    assert found.precision == (tp / (tp + fp) if tp + fp else 0)
    assert found.recall == (tp / (tp + fn) if tp + fn else 0)
    assert found.f1 == pytest.approx(float(f1_of(rows, threshold)))


@settings(max_examples=150, deadline=None)
@given(rows=BOTH_CLASSES)
def test_auc_is_the_share_of_pairs_in_order_with_ties_half(rows: Rows) -> None:
    assert evaluate(*columns(rows), 0.5).roc_auc == pytest.approx(auc_of(rows))


@settings(max_examples=150, deadline=None)
@given(rows=BOTH_CLASSES)
def test_average_precision_is_the_sum_over_distinct_thresholds(rows: Rows) -> None:
    found = evaluate(*columns(rows), 0.5).average_precision
    assert found == pytest.approx(average_precision_of(rows))


def test_auc_is_a_half_when_all_probabilities_are_equal() -> None:
    assert evaluate(np.array([1, 0, 0]), np.array([0.3, 0.3, 0.3]), 0.5).roc_auc == 0.5


@pytest.mark.parametrize("label", [0, 1])
def test_ranking_figures_are_nan_when_one_class_is_absent(label: int) -> None:
    found = evaluate(np.array([label, label]), np.array([0.2, 0.7]), 0.5)
    assert math.isnan(found.roc_auc)
    assert math.isnan(found.average_precision)
    assert math.isfinite(found.log_loss)


def test_rates_are_zero_when_nobody_is_flagged() -> None:
    found = evaluate(np.array([1, 0]), np.array([0.2, 0.1]), 0.9)
    assert (found.precision, found.recall, found.f1) == (0, 0, 0)


def test_log_loss_is_finite_when_a_certain_prediction_is_wrong() -> None:
    assert math.isfinite(evaluate(np.array([1, 0]), np.array([0.0, 1.0]), 0.5).log_loss)


@settings(max_examples=100, deadline=None)
@given(rows=ROWS, threshold=_PROBABILITIES)
def test_figures_are_equal_when_the_labels_are_floats(rows: Rows, threshold: float) -> None:
    labels, probabilities = columns(rows)
    as_integers = evaluate(labels, probabilities, threshold)
    # Compared as text: NaN equals itself there.
    assert repr(evaluate(labels.astype(float), probabilities, threshold)) == repr(as_integers)


@settings(max_examples=300, deadline=None)
@given(rows=WITH_CANCELS)
def test_best_threshold_is_the_highest_of_those_with_the_highest_f1(rows: Rows) -> None:
    thresholds = sorted({p for _, p in rows})
    best = max(f1_of(rows, threshold) for threshold in thresholds)
    expected = max(t for t in thresholds if f1_of(rows, t) == best)
    assert best_f1_threshold(*columns(rows)) == expected


def test_best_threshold_is_the_higher_one_when_two_are_equally_good() -> None:
    # From 0.9: 1 of 1 flagged, 1 missed, F1 2/3. From 0.2: 2 of 4 flagged, none missed, F1 2/3.
    labels, probabilities = np.array([1, 0, 0, 1]), np.array([0.9, 0.8, 0.5, 0.2])
    assert best_f1_threshold(labels, probabilities) == 0.9


def test_best_threshold_is_the_lowest_probability_when_everybody_cancels() -> None:
    assert best_f1_threshold(np.array([1, 1]), np.array([0.3, 0.6])) == 0.3


def test_best_threshold_flags_nobody_when_nobody_cancels() -> None:
    assert best_f1_threshold(np.array([0, 0]), np.array([0.2, 1.0])) == np.inf


def test_threshold_is_that_of_the_best_f1_where_somebody_cancels() -> None:
    labels, probabilities = np.array([1, 0, 0, 1]), np.array([0.9, 0.8, 0.5, 0.2])
    assert choose_threshold(labels, probabilities, None) == 0.9


def test_as_many_are_flagged_as_are_expected_where_nobody_cancels() -> None:
    nobody, chances = np.zeros(5, dtype=int), np.array([0.1, 0.9, 0.3, 0.6, 0.1])
    assert choose_threshold(nobody, chances, None) == 0.6  # 2.0 expected
    assert choose_threshold(nobody, chances / 10, None) == 0.09
    assert choose_threshold(nobody, np.ones(5), None) == 1.0
    # The second row stands for all that are expected: 2.98 of 5.
    weights = np.array([1.0, 4.0, 1.0, 1.0, 1.0])
    assert choose_threshold(nobody, chances, weights) == 0.6
    assert choose_threshold(nobody, chances, weights * [1, 4, 1, 1, 1]) == 0.9


@settings(max_examples=150, deadline=None)
@given(rows=WITH_CANCELS)
def test_points_of_the_curve_are_those_of_every_distinct_probability(rows: Rows) -> None:
    thresholds, precision, recall = precision_recall_points(*columns(rows))
    assert thresholds.tolist() == sorted({p for _, p in rows})
    for threshold, *point in zip(thresholds, precision, recall, strict=True):
        tp, fp, fn, _ = count(rows, threshold)
        assert point == pytest.approx([tp / (tp + fp), tp / (tp + fn)])


def test_outcomes_name_the_four_cases_in_row_order() -> None:
    found = outcomes(np.array([1, 0, 1, 0]), np.array([0.5, 0.5, 0.4, 0.4]), 0.5)
    assert found.tolist() == [
        "true positive",
        "false positive",
        "false negative",
        "true negative",
    ]


@settings(deadline=None)
@given(rows=ROWS, threshold=_PROBABILITIES)
def test_outcomes_add_up_to_the_counts(rows: Rows, threshold: float) -> None:
    named = outcomes(*columns(rows), threshold).tolist()
    found = evaluate(*columns(rows), threshold)
    assert named.count("true positive") == found.true_positives
    assert named.count("false positive") == found.false_positives
    assert named.count("false negative") == found.false_negatives
    assert named.count("true negative") == found.true_negatives


def captured_of(rows: Rows, share: float) -> Fraction:
    """The cancellers in the first rows, the boundary's equal rows each by the same share."""
    room, found = Fraction(share).limit_denominator(100) * len(rows), Fraction(0)
    for p in sorted({p for _, p in rows}, reverse=True):
        labels = [label for label, q in rows if q == p]
        taken = min(room, len(labels))
        found += sum(labels) * taken / len(labels)
        room -= taken
    return found / sum(label for label, _ in rows)


@settings(max_examples=150, deadline=None)
@given(rows=WITH_CANCELS)
def test_capture_takes_equal_rows_by_their_share(rows: Rows) -> None:
    found = evaluate(*columns(rows), 0.5)
    assert found.capture_10 == pytest.approx(float(captured_of(rows, 0.10)))
    assert found.capture_33 == pytest.approx(float(captured_of(rows, 0.33)))
    assert found.lift_10 == pytest.approx(found.capture_10 / 0.10)
    assert found.lift_33 == pytest.approx(found.capture_33 / 0.33)


@settings(max_examples=100, deadline=None)
@given(rows=BOTH_CLASSES, data=st.data())
def test_no_figure_depends_on_the_order_of_the_rows(rows: Rows, data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations(rows))
    first, second = (evaluate(*columns(order), 0.5) for order in (rows, shuffled))
    for name, value in vars(first).items():
        assert getattr(second, name) == pytest.approx(value, rel=1e-6, abs=1e-6, nan_ok=True), name


def test_lift_is_one_and_capture_the_share_when_all_rows_are_equal() -> None:
    found = evaluate(np.array([1, 0, 0, 0]), np.full(4, 0.25), 0.5)
    assert (found.capture_10, found.capture_33) == pytest.approx((0.10, 0.33))
    assert (found.lift_10, found.lift_33) == pytest.approx((1, 1))
    assert found.calibration_error == pytest.approx(0)
    assert math.isnan(found.calibration_slope)


def calibration_error_of(rows: Rows) -> float:
    """Every row cut into 20 slivers, so that 20 bins of whole slivers are there."""
    ranked = sorted({p for _, p in rows})
    shares = {p: [label for label, q in rows if q == p] for p in ranked}
    slivers = [(p, sum(shares[p]) / len(shares[p])) for p in ranked for _ in shares[p] * 20]
    n, total = len(rows), 0.0
    for first in range(0, 20 * n, n):
        part = slivers[first : first + n]
        total += abs(sum(p for p, _ in part) - sum(label for _, label in part))
    return total / (20 * n)


@settings(max_examples=100, deadline=None)
@given(rows=ROWS)
def test_calibration_error_is_that_of_20_bins_of_equal_mass(rows: Rows) -> None:
    found = evaluate(*columns(rows), 0.5).calibration_error
    assert found == pytest.approx(calibration_error_of(rows), abs=1e-12)


@settings(max_examples=100, deadline=None)
@given(rows=BOTH_CLASSES)
def test_area_under_the_points_of_the_roc_curve_is_the_auc(rows: Rows) -> None:
    false, true = roc_points(*columns(rows))
    assert np.trapz(true, false) == pytest.approx(auc_of(rows))
    assert (false[0], true[0], false[-1], true[-1]) == (0, 0, 1, 1)


@settings(max_examples=100, deadline=None)
@given(rows=WITH_CANCELS)
def test_gains_curve_passes_through_the_capture(rows: Rows) -> None:
    contacted, found = gains_points(*columns(rows))
    assert len(contacted) == len({p for _, p in rows}) + 1
    at_a_third = np.interp(0.33, contacted, found)
    assert at_a_third == pytest.approx(evaluate(*columns(rows), 0.5).capture_33)


def test_no_rows_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one row"):
        evaluate(np.array([]), np.array([]), 0.5)
