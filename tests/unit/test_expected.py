"""Expected figures against all outcomes weighted, and against many drawn ones."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.expected_metrics import evaluate_expected, expected_calibration_error
from churn_spark.evaluation.expected import expected_average_precision, expected_roc_auc
from churn_spark.evaluation.metrics import average_precision, evaluate, roc_auc
from churn_spark.evaluation.ranking import Ranking

CHANCES = st.sampled_from([0.05, 0.2, 0.5, 0.9])
SCORES = st.sampled_from([0.1, 0.2, 0.3, 0.4])
ROWS = st.lists(st.tuples(CHANCES, SCORES), min_size=2, max_size=7)


def columns(rows: list[tuple[float, float]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([t for t, _ in rows]), np.array([s for _, s in rows])


def exhaustive(rows: list[tuple[float, float]]) -> tuple[float, float]:
    """Expected right pairs over expected pairs, and expected AP sums over expected cancels."""
    right = pairs = precision = cancels = 0.0
    for outcome in itertools.product([0, 1], repeat=len(rows)):
        weight = float(
            np.prod([t if y else 1 - t for (t, _), y in zip(rows, outcome, strict=True)])
        )
        for (i, (_, above)), (j, (_, below)) in itertools.permutations(enumerate(rows), 2):
            if outcome[i] > outcome[j]:
                pairs += weight
                right += weight * (0.5 * (above >= below) + 0.5 * (above > below))
        for (_, score), y in zip(rows, outcome, strict=True):
            down_to = [z for (_, other), z in zip(rows, outcome, strict=True) if other >= score]
            precision += weight * y * sum(down_to) / len(down_to)
        cancels += weight * sum(outcome)
    return right / pairs, precision / cancels


@given(rows=ROWS)
def test_expected_figures_are_those_of_all_outcomes_weighted(
    rows: list[tuple[float, float]],
) -> None:
    auc, precision = exhaustive(rows)
    assert expected_roc_auc(*columns(rows)) == pytest.approx(auc)
    assert expected_average_precision(*columns(rows)) == pytest.approx(precision)


@given(rows=st.lists(st.tuples(st.integers(0, 1), SCORES), min_size=2, max_size=20))
def test_expected_figures_are_the_figures_when_the_outcome_is_certain(
    rows: list[tuple[float, float]],
) -> None:
    labels, scores = columns(rows)
    if 0 < labels.sum() < len(labels):
        assert expected_roc_auc(labels, scores) == pytest.approx(roc_auc(labels, scores))
        found = expected_average_precision(labels, scores)
        assert found == pytest.approx(average_precision(labels, scores))


def test_figures_of_drawn_outcomes_have_the_expected_mean() -> None:
    rng = np.random.default_rng(5)
    true = rng.beta(1, 9, 4000)
    # In hundredths, so that there are ties.
    scores = np.clip(np.round(true + rng.normal(0, 0.05, 4000), 2), 0.01, 0.99)
    drawn = [evaluate((rng.random(4000) < true).astype(float), scores, 0.5) for _ in range(200)]
    found = evaluate_expected(true, scores)
    names = ("roc_auc", "average_precision", "capture_10", "capture_33", "calibration_slope")
    for name in names:
        outcomes = np.array([getattr(metrics, name) for metrics in drawn])
        error = outcomes.std() / np.sqrt(len(outcomes))
        assert abs(outcomes.mean() - getattr(found, name)) < 4 * error, name
        assert error < 0.006, name


@given(rows=ROWS)
def test_nothing_beats_the_true_probabilities(rows: list[tuple[float, float]]) -> None:
    true, scores = columns(rows)
    assert expected_roc_auc(true, scores) <= expected_roc_auc(true, true) + 1e-12


def test_true_probabilities_reach_all_there_is_and_are_calibrated() -> None:
    true = np.random.default_rng(1).beta(1, 9, 500)
    found = evaluate_expected(true, true)
    assert (found.roc_auc_share, found.average_precision_share) == (1.0, 1.0)
    assert found.calibration_error == pytest.approx(0, abs=1e-12)
    assert (found.calibration_intercept, found.calibration_slope) == pytest.approx((0, 1))
    assert (found.n, found.n_positive) == (500, pytest.approx(true.sum()))


def test_slope_and_intercept_undo_what_was_done_to_the_log_odds() -> None:
    true = np.random.default_rng(2).beta(1, 9, 500)
    margins = np.log(true / (1 - true))
    found = evaluate_expected(true, 1 / (1 + np.exp(-(2 * margins + 1))))
    assert found.calibration_slope == pytest.approx(0.5)
    assert found.calibration_intercept == pytest.approx(-0.5)
    assert found.roc_auc_share == pytest.approx(1.0)


def test_calibration_error_is_the_distance_when_all_scores_are_off_by_it() -> None:
    true = np.linspace(0.1, 0.5, 100)
    assert expected_calibration_error(true, true + 0.05) == pytest.approx(0.05)


def test_nothing_is_reachable_without_a_cancel() -> None:
    assert np.isnan(expected_roc_auc(np.zeros(4), np.arange(4)))
    assert np.isnan(expected_average_precision(np.zeros(4), np.arange(4)))


def test_no_rows_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one row"):
        Ranking.of(np.array([]), np.array([]))
