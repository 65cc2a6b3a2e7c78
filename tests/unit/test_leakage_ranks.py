"""AUC within dates and its limit: against scikit-learn, and by the laws they must keep."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from churn_spark.leakage.auc import auc_limit, auc_within, count_users

ROWS = st.lists(
    st.tuples(st.integers(0, 6), st.booleans(), st.integers(0, 2)), min_size=1, max_size=60
)


@given(ROWS)
def test_auc_within_is_the_pair_weighted_mean_of_the_dates(
    rows: list[tuple[int, bool, int]],
) -> None:
    values, labels, dates = (np.array(column) for column in zip(*rows, strict=True))
    weights, aucs = [], []
    for day in np.unique(dates):
        label = labels[dates == day]
        if label.any() and not label.all():
            weights.append(label.sum() * (~label).sum())
            aucs.append(roc_auc_score(label, values[dates == day]))
    expected = np.average(aucs, weights=weights) if aucs else 0.5
    assert auc_within(values.astype(float), labels, dates) == pytest.approx(expected)


def test_a_column_that_only_tells_the_dates_apart_has_auc_one_half() -> None:
    dates = np.repeat([1, 2], 50)
    labels = np.concatenate([np.arange(50) < 5, np.arange(50) < 25])
    assert auc_within(dates.astype(float), labels, dates) == 0.5


def test_missing_values_are_left_out() -> None:
    values = np.array([1.0, np.nan, 2.0, np.nan])
    labels = np.array([False, True, True, False])
    assert auc_within(values, labels, np.zeros(4)) == 1.0


@given(st.floats(0.5, 0.99), st.integers(1, 500), st.integers(1, 500))
def test_more_users_bring_the_limit_nearer_to_the_cap(cap: float, n: int, m: int) -> None:
    assert auc_limit(cap, 4 * n, 4 * m, 3.0) <= auc_limit(cap, n, m, 3.0) + 1e-12
    assert auc_limit(cap, n, m, 3.0) >= cap


def test_two_cancellations_that_are_perfectly_separated_are_no_evidence() -> None:
    assert auc_limit(0.72, 2, 300, 3.0) > 1.0
    assert auc_limit(0.72, 100, 2000, 3.0) < 0.82


def test_the_standard_error_is_that_of_exponential_scores_for_which_it_is_exact() -> None:
    random, n_sets, n, m = np.random.default_rng(3), 4000, 10, 15
    # Means of 3 and 1 have the AUC 3 / (3 + 1).
    positive = random.exponential(3.0, size=(n_sets, n, 1))
    negative = random.exponential(1.0, size=(n_sets, 1, m))
    aucs = (positive > negative).mean(axis=(1, 2))
    assert aucs.mean() == pytest.approx(0.75, abs=0.01)
    assert auc_limit(0.75, n, m, 1.0) - 0.75 == pytest.approx(aucs.std(), rel=0.04)


def test_chance_passes_the_limit_as_rarely_as_it_says() -> None:
    random = np.random.default_rng(1)
    labels = np.arange(400) < 40
    limit = auc_limit(0.5, 40, 360, 2.0)
    aucs = [auc_within(random.normal(size=400), labels, np.zeros(400)) for _ in range(400)]
    # Beyond two standard errors upwards lie 2.3 %: 9 of 400, give or take 3.
    assert 2 <= sum(auc > limit for auc in aucs) <= 18


def test_users_count_once_and_as_cancellers_if_they_ever_cancel() -> None:
    users = np.array(["a", "a", "b", "c"])
    assert count_users(users, np.array([True, False, False, False])) == (1, 2)
    assert count_users(users[:1], np.array([False])) == (1, 1)
