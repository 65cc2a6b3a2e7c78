"""Curves against counting one by one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_curve

from churn_spark.models.curves import (
    gains_points,
    pr_points,
    reliability_bins,
    roc_points,
    thinned,
)
from churn_spark.models.metrics import roc_auc

# Tenths collide often.
ROWS = st.lists(
    st.tuples(st.integers(0, 1), st.integers(0, 10).map(lambda n: n / 10)), min_size=2, max_size=40
).filter(lambda rows: len({label for label, _ in rows}) == 2)
Rows = list[tuple[int, float]]


def columns(rows: Rows) -> tuple[np.ndarray, np.ndarray]:
    return np.array([label for label, _ in rows]), np.array([p for _, p in rows], dtype=float)


@settings(max_examples=200, deadline=None)
@given(rows=ROWS)
def test_roc_curve_is_that_of_scikit_learn_and_its_area_the_auc(rows: Rows) -> None:
    labels, probabilities = columns(rows)
    x, y = roc_points(labels, probabilities)
    expected_x, expected_y, _ = roc_curve(labels, probabilities, drop_intermediate=False)
    assert (x.tolist(), y.tolist()) == (expected_x.tolist(), expected_y.tolist())
    assert np.trapz(y, x) == pytest.approx(roc_auc(labels, probabilities))


@settings(max_examples=200, deadline=None)
@given(rows=ROWS)
def test_gains_are_the_shares_at_every_distinct_probability(rows: Rows) -> None:
    x, y = gains_points(*columns(rows))
    n_cancels = sum(label for label, _ in rows)
    expected = [(0.0, 0.0)]
    for threshold in sorted({p for _, p in rows}, reverse=True):
        above = [label for label, p in rows if p >= threshold]
        expected.append((len(above) / len(rows), sum(above) / n_cancels))
    assert list(zip(x.tolist(), y.tolist(), strict=True)) == expected


def test_precision_and_recall_run_from_the_highest_threshold_down() -> None:
    recall, precision = pr_points(np.array([1, 0, 1]), np.array([0.9, 0.5, 0.1]))
    assert recall.tolist() == [0.5, 0.5, 1.0]
    assert precision.tolist() == [1.0, 0.5, pytest.approx(2 / 3)]


def test_long_curve_is_thinned_and_keeps_its_ends() -> None:
    x = np.linspace(0, 1, 5_000) ** 3
    thin_x, thin_y = thinned(x, 1 - x)
    assert 300 < len(thin_x) <= 401
    assert (thin_x[0], thin_x[-1], thin_y[0], thin_y[-1]) == (0, 1, 1, 0)
    assert np.diff(thin_x).max() < 0.004
    assert thinned(x[:400], x[:400])[0] is not None
    assert len(thinned(x[:400], x[:400])[0]) == 400


def test_bins_of_equal_size_have_the_means_of_their_rows() -> None:
    probabilities = np.arange(80) / 100
    labels = (np.arange(80) % 2 == 0).astype(int)
    bins = reliability_bins(labels, probabilities, np.arange(80))
    assert [b.n for b in bins] == [20] * 4
    assert [b.predicted for b in bins] == pytest.approx([0.095, 0.295, 0.495, 0.695])
    assert all(b.low < b.observed == 0.5 < b.high for b in bins)


def test_equal_probabilities_share_a_bin() -> None:
    bins = reliability_bins(np.array([1, 0] * 50), np.full(100, 0.3), np.arange(100))
    assert [(b.n, b.observed) for b in bins] == [(100, 0.5)]


def test_bins_are_more_with_more_cancellers_and_never_more_than_asked() -> None:
    probabilities = np.arange(5_000) / 5_000
    for n_cancels, expected in ((5, 4), (120, 12), (4_000, 20)):
        labels = np.zeros(5_000, dtype=int)
        labels[:n_cancels] = 1
        assert len(reliability_bins(labels, probabilities, np.arange(5_000))) == expected
