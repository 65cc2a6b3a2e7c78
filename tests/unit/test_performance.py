"""DeLong by brute force and by coverage; the bootstrap and the label-free guess by sampling."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit
from sklearn.metrics import (
    average_precision_score,
    brier_score_loss,
    f1_score,
    roc_auc_score,
)
from sklearn.metrics import log_loss as sklearn_log_loss

from churn_spark.arrays import Values
from churn_spark.config import load_config
from churn_spark.evaluation.metrics import average_precision, roc_auc
from churn_spark.evaluation.weights import count_positive_users
from churn_spark.monitoring.performance.challenger import compare_challenger, newest_rows
from churn_spark.monitoring.performance.performance import (
    Estimate,
    auc_covariance,
    change_against,
    compare_aucs,
    estimate_auc,
    measure,
)
from churn_spark.monitoring.performance.without_labels import expect_performance
from churn_spark.monitoring.policy.evidence import Evidence
from churn_spark.monitoring.policy.policy_state import from_json, to_json
from churn_spark.monitoring.policy.promotion import judge_challenger

DAY = date(2018, 12, 1)
VERSIONS = ("2", "1")


def compared(
    labels: Values, new: Values, old: Values, users: Values, **others: Values
) -> pd.DataFrame:
    """Labelled rows with what two models say of them; of one date and segment unless said."""
    rows = {"label": labels, "new": new, "old": old, "user_id": users}
    alike = {"as_of": DAY, "level": "paid", "tenure_band": "over 90 days", "os": "Mac"}
    return pd.DataFrame(rows).assign(**alike | others)


def naive_covariance(
    labels: np.ndarray, scores: np.ndarray, users: np.ndarray
) -> tuple[list[float], np.ndarray]:
    """Every pair compared, every user's placements summed: Obuchowski (1997), as printed."""
    k, m, n = len(scores), int(labels.sum()), int((1 - labels).sum())
    x = np.zeros((k, len(labels)))
    for model in range(k):
        for i in range(len(labels)):
            others = [j for j in range(len(labels)) if labels[j] != labels[i]]
            for j in others:
                gap = scores[model, i] - scores[model, j]
                wins = 0.5 if gap == 0 else float(gap > 0)
                x[model, i] += (wins if labels[i] else 1 - wins) / len(others)
    auc = [x[model, labels == 1].mean() for model in range(k)]
    names = sorted(set(users))
    s10, s01, s11 = np.zeros((k, k)), np.zeros((k, k)), np.zeros((k, k))
    with_x = {u for u, label in zip(users, labels, strict=True) if label}
    with_y = {u for u, label in zip(users, labels, strict=True) if not label}
    for a in range(k):
        for b in range(k):
            for u in names:
                p, q = (users == u) & (labels == 1), (users == u) & (labels == 0)
                pa, pb = x[a, p].sum() - p.sum() * auc[a], x[b, p].sum() - p.sum() * auc[b]
                qa, qb = x[a, q].sum() - q.sum() * auc[a], x[b, q].sum() - q.sum() * auc[b]
                s10[a, b] += pa * pb * len(with_x) / ((len(with_x) - 1) * m)
                s01[a, b] += qa * qb * len(with_y) / ((len(with_y) - 1) * n)
                s11[a, b] += pa * qb * len(names) / (len(names) - 1)
    return auc, s10 / m + s01 / n + (s11 + s11.T) / (m * n)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(6, 30), st.integers(3, 30), st.integers(1, 30))
def test_covariance_equals_all_pairs_when_scores_tie_and_users_come_again(
    seed: int, n: int, n_users: int, n_values: int
) -> None:
    rng = np.random.default_rng(seed)
    labels = np.array([1, 1, 0, 0, *rng.integers(0, 2, n - 4)])
    users = np.array([0, 1, 1, 2, *rng.integers(0, n_users, n - 4)])
    scores = rng.integers(0, n_values, (2, n)) / 7
    aucs, covariance = auc_covariance(labels, scores, users)
    expected_aucs, expected = naive_covariance(labels, scores, users)
    np.testing.assert_allclose(aucs, expected_aucs, atol=1e-12)
    np.testing.assert_allclose(covariance, expected, atol=1e-12)
    assert aucs[0] == pytest.approx(roc_auc(labels, scores[0]))


def draw_rows(
    rng: np.random.Generator, n: int, shift: float = 1.0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels with 22 % cancels and two correlated scores of equal worth."""
    labels = (rng.random(n) < 0.22).astype(int)
    common = rng.normal(size=n) + shift * labels
    return labels, common + 0.5 * rng.normal(size=n), common + 0.5 * rng.normal(size=n)


def test_intervals_hold_the_truth_in_19_of_20_samples() -> None:
    rng = np.random.default_rng(1)
    # Both classes are normal with variance 1.25, one SD apart: AUC = P(N(1, 2.5) > 0).
    truth, users, n = 0.5 * (1 + math.erf(1 / math.sqrt(2.5) / math.sqrt(2))), np.arange(400), 1500
    single = paired = 0
    for _ in range(n):
        labels, new, old = draw_rows(rng, 400)
        one = estimate_auc(labels, new, users)
        single += one.low <= truth <= one.high
        difference = compare_aucs(labels, new, old, users)
        paired += difference.low <= 0 <= difference.high
    assert 0.93 <= single / n <= 0.97
    assert 0.93 <= paired / n <= 0.97


@pytest.mark.parametrize("n_cancels", [2, 4])
def test_equally_good_models_hardly_ever_differ_surely_on_few_cancels(n_cancels: int) -> None:
    rng, n = np.random.default_rng(6), 300
    labels = (np.arange(230) < n_cancels).astype(int)
    differ = 0
    for _ in range(n):
        common = rng.normal(size=230) + labels
        new, old = (common + rng.normal(size=230) for _ in range(2))
        differ += compare_aucs(labels, new, old, np.arange(230)).high < -0.01
    # A normal interval: one in ten, and one in twenty.
    assert differ / n <= 0.025


def test_interval_holds_the_truth_when_each_user_comes_four_times() -> None:
    rng = np.random.default_rng(2)
    users, n = np.repeat(np.arange(200), 4), 800
    # A user keeps label and score, but for a little noise: 800 rows are worth about 200.
    truth, covered, covered_as_rows = roc_auc(*_many(rng)), 0, 0
    for _ in range(n):
        labels = (rng.random(200) < 0.3).astype(int)[users]
        scores = (rng.normal(size=200))[users] + labels + 0.3 * rng.normal(size=800)
        found = estimate_auc(labels, scores, users)
        covered += found.low <= truth <= found.high
        as_rows = estimate_auc(labels, scores, np.arange(800))
        covered_as_rows += as_rows.low <= truth <= as_rows.high
    assert 0.93 <= covered / n <= 0.97
    assert covered_as_rows / n < 0.75


def _many(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    labels = rng.integers(0, 2, 400_000)
    return labels, rng.normal(size=labels.size) * math.hypot(1, 0.3) + labels


def test_pairing_makes_the_interval_narrower() -> None:
    labels, new, old = draw_rows(np.random.default_rng(3), 2000)
    users = np.arange(2000)
    apart = math.hypot(
        estimate_auc(labels, new, users).standard_error,
        estimate_auc(labels, old, users).standard_error,
    )
    assert compare_aucs(labels, new, old, users).standard_error < 0.6 * apart


def test_drop_of_044_is_seen_at_80_percent_power_with_1000_users() -> None:
    labels, new, _ = draw_rows(np.random.default_rng(4), 1000)
    error = estimate_auc(labels, new, np.arange(1000)).standard_error
    assert 2.8 * error == pytest.approx(0.044, abs=0.008)


def test_model_compared_with_itself_differs_by_nothing() -> None:
    labels, new, _ = draw_rows(np.random.default_rng(5), 300)
    assert compare_aucs(labels, new, new, np.arange(300)) == Estimate(0.0, 0.0, 0.0, 0.0)


@pytest.mark.parametrize("labels", [[0, 0, 0, 0], [1, 1, 1, 1], [1, 0, 0, 0]])
def test_bounds_are_no_numbers_when_a_class_has_fewer_than_two_users(labels: list[int]) -> None:
    found = estimate_auc(np.array(labels), np.array([0.4, 0.3, 0.2, 0.6]), np.arange(4))
    assert math.isnan(found.low)
    assert math.isnan(found.high)
    assert math.isnan(found.value) == (sum(labels) != 1)


def test_perfect_order_has_no_interval_beyond_one() -> None:
    found = estimate_auc(np.array([0, 0, 1, 1]), np.array([1.0, 2.0, 3.0, 4.0]), np.arange(4))
    assert (found.value, found.low, found.high) == (1.0, 1.0, 1.0)


def test_metrics_equal_those_of_scikit_learn() -> None:
    rng = np.random.default_rng(6)
    labels, probabilities = rng.integers(0, 2, 500), rng.uniform(0.01, 0.99, 500).round(2)
    found = measure(labels, probabilities, np.arange(500), threshold=0.4, n_replicas=100, seed=1)
    expected = {
        "roc_auc": roc_auc_score(labels, probabilities),
        "f1": f1_score(labels, probabilities >= 0.4),
        "average_precision": average_precision_score(labels, probabilities),
        "log_loss": sklearn_log_loss(labels, probabilities),
        "brier": brier_score_loss(labels, probabilities),
    }
    assert {name: found[name].value for name in expected} == pytest.approx(expected)
    assert set(found) == {*expected, "calibration_error"}
    for name in expected:
        assert found[name].low < found[name].value < found[name].high
        assert found[name].high - found[name].low == pytest.approx(
            3.92 * found[name].standard_error, rel=0.35
        )


def test_metrics_have_no_interval_when_a_class_has_a_handful_of_users() -> None:
    labels, scores = np.array([1, 0, 0, 0]), np.array([0.9, 0.1, 0.2, 0.3])
    found = measure(labels, scores, np.arange(4), threshold=0.5, n_replicas=100, seed=1)
    assert found["average_precision"].value == 1.0
    assert math.isnan(found["average_precision"].low)
    assert math.isnan(found["average_precision"].standard_error)


def test_challenger_is_compared_row_by_row_and_by_segment() -> None:
    labels, *scores = draw_rows(np.random.default_rng(9), 900)
    new, old = (expit(score - 2) for score in scores)
    level = np.where(np.arange(900) % 3 == 0, "free", "paid")
    rows = compared(labels, new, old, np.arange(900), level=level)
    found = compare_challenger(VERSIONS, rows, n_level=1)
    assert found.auc_difference == pytest.approx(
        roc_auc_score(labels, new) - roc_auc_score(labels, old)
    )
    assert found.auc_low < found.auc_difference
    assert found.log_loss_difference == pytest.approx(
        sklearn_log_loss(labels, new) - sklearn_log_loss(labels, old)
    )
    of_level = found.segments[:2]
    assert [part.segment for part in of_level] == ["level=free", "level=paid"]
    assert {part.segment for part in found.segments[2:]} == {"os=Mac", "tenure_band=over 90 days"}
    free = level == "free"
    assert found.segments[0].n_positive == labels[free].sum()
    assert found.segments[0].auc_difference == pytest.approx(
        roc_auc_score(labels[free], new[free]) - roc_auc_score(labels[free], old[free])
    )
    same = compare_challenger(VERSIONS, rows.assign(old=rows["new"]), n_level=1)
    assert (same.auc_difference, same.auc_low, same.log_loss_difference) == (0, 0, 0)
    assert (same.auc_high, same.log_loss_low, same.n_positive) == (0, 0, labels.sum())
    assert found.auc_high is not None
    assert found.auc_high - found.auc_difference == pytest.approx(
        found.auc_difference - found.auc_low
    )


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 5), st.booleans(), st.integers(0, 8)), max_size=30),
    st.integers(1, 8),
)
def test_newest_rows_are_of_as_few_dates_as_it_takes(
    rows: list[tuple[int, bool, int]], n_positive: int
) -> None:
    dates = np.array([DAY + timedelta(days=7 * week) for week, _, _ in rows], dtype=object)
    labels, users = (np.array([row[place] for row in rows], dtype=int) for place in (1, 2))
    found = newest_rows(dates, labels, users, n_positive)

    def cancels(since: date) -> int:
        chosen = [row for row, day in zip(rows, dates, strict=True) if day >= since]
        return len({user for _, is_cancel, user in chosen if is_cancel})

    enough = [day for day in dates if cancels(day) >= n_positive]
    first = max(enough, default=date.min)
    assert found.tolist() == [day >= first for day in dates]


def test_user_who_counts_for_many_is_one_cancel_of_the_newest_rows() -> None:
    dates = np.array([DAY, DAY, DAY + timedelta(days=7)], dtype=object)
    labels, users, weights = np.array([1, 1, 1]), np.arange(3), np.array([1.0, 1.0, 9.0])
    assert newest_rows(dates, labels, users, 1, weights).tolist() == [False, False, True]
    assert newest_rows(dates, labels, users, 2, weights).all()


def test_challenger_that_knows_todays_rate_is_not_held_against_the_weeks_before() -> None:
    """Twice as many cancel on the newest date: ranking is of all dates, the level is not."""
    rng = np.random.default_rng(12)
    weeks, n = 4, 2000
    dates = np.repeat([DAY + timedelta(days=7 * week) for week in range(weeks)], n)
    is_newest = dates == dates.max()
    users, margins = np.tile(np.arange(n), weeks), np.tile(rng.normal(-3, 1, n), weeks)
    labels = (rng.random(weeks * n) < expit(margins + np.log(2) * is_newest)).astype(int)
    old, new = expit(margins), expit(margins + np.log(2))
    rows = compared(labels, new, old, users, as_of=dates)
    found = compare_challenger(VERSIONS, rows, n_level=50)
    assert found.level_from == dates.max()
    assert found.auc_difference == 0
    assert found.log_loss_difference == pytest.approx(
        sklearn_log_loss(labels[is_newest], new[is_newest])
        - sklearn_log_loss(labels[is_newest], old[is_newest])
    )
    assert found.log_loss_difference < 0
    assert found.calibration_difference < 0
    assert found.log_loss_low is not None
    assert found.log_loss_high is not None
    assert found.log_loss_low < found.log_loss_difference < found.log_loss_high < 0
    of_all = compare_challenger(VERSIONS, rows, n_level=10_000)
    assert (of_all.level_from, of_all.n_positive) == (DAY, found.n_positive)
    assert of_all.log_loss_difference > 0
    assert from_json(Evidence, to_json(Evidence(1, challenger=found))).challenger == found


@pytest.mark.parametrize("counts", [{}, {"weight": np.array([])}])
def test_challenger_without_any_row_to_compare_by_is_not_promoted(
    counts: dict[str, Values],
) -> None:
    none = np.array([])
    found = compare_challenger(VERSIONS, compared(none, none, none, none, **counts), n_level=50)
    assert (found.version, found.champion, found.n_positive) == ("2", "1", 0)
    policy = load_config().policy
    assert judge_challenger(found, policy).objections
    older = replace(found, restores_drift=True)
    assert judge_challenger(older, policy, may_renew=True).objections
    assert from_json(Evidence, to_json(Evidence(1, challenger=found))).challenger == found


def test_loss_of_a_challenger_is_bounded_by_what_the_users_vary() -> None:
    """Beside drawing the users: a user who is there twice, or counts twice, is one user."""
    rng = np.random.default_rng(4)
    n = 4000
    truth = expit(rng.normal(-2, 1, n))
    labels = (rng.random(n) < truth).astype(float)
    new, old = expit(rng.normal(-2, 1, n)), truth
    users = np.arange(n)
    weights = np.where(users % 2 == 0, 2.0, 1.0)
    rows = compared(labels, new, old, users, weight=weights)
    found = compare_challenger(VERSIONS, rows, n_level=50)
    worse = [-(labels * np.log(p) + (1 - labels) * np.log(1 - p)) * weights for p in (new, old)]
    difference, drawn = worse[0] - worse[1], []
    for _ in range(2000):
        chosen = rng.integers(n, size=n)
        drawn.append(difference[chosen].sum() / weights[chosen].sum())
    assert found.log_loss_low == pytest.approx(np.quantile(drawn, 0.025), rel=0.03)
    assert found.log_loss_high == pytest.approx(np.quantile(drawn, 0.975), rel=0.03)
    twice = compare_challenger(VERSIONS, pd.concat([rows, rows]), n_level=50)
    assert twice.log_loss_low == pytest.approx(found.log_loss_low)
    one = compare_challenger(VERSIONS, rows.assign(user_id=0), n_level=50)
    assert (one.log_loss_low, one.log_loss_high) == (None, None)
    assert "Infinity" not in to_json(Evidence(1, challenger=one))
    assert twice.n_positive == found.n_positive == count_positive_users(labels, users, weights)


def test_change_has_the_errors_of_both_sides() -> None:
    window = (date(2024, 1, 1), date(2024, 1, 8))
    current, reference = Estimate(0.70, 0.64, 0.76, 0.03), Estimate(0.75, 0.67, 0.83, 0.04)
    found = change_against("roc_auc", current, reference, window, 300)
    assert found.difference == pytest.approx(-0.05)
    assert (found.low, found.high) == pytest.approx((-0.05 - 0.098, -0.05 + 0.098), abs=1e-4)
    assert (found.window_start, found.window_end, found.n_positive) == (*window, 300)


def test_expected_metrics_are_those_of_labels_drawn_from_the_probabilities() -> None:
    rng = np.random.default_rng(11)
    probabilities = expit(rng.normal(-2.5, 1.0, 8000))
    expected = expect_performance(probabilities, 0.15)
    drawn = []
    for _ in range(400):
        labels = (rng.random(8000) < probabilities).astype(int)
        drawn.append(
            [
                roc_auc(labels, probabilities),
                average_precision(labels, probabilities),
                f1_score(labels, probabilities >= 0.15),
                labels.mean(),
            ]
        )
    found = [expected.roc_auc, expected.average_precision, expected.f1, expected.base_rate]
    assert found == pytest.approx(np.mean(drawn, axis=0).tolist(), abs=0.003)


def test_expectation_follows_the_mix_of_users_and_is_blind_to_another_concept() -> None:
    rng = np.random.default_rng(10)
    risk = rng.normal(-2, 0.5, 20_000)
    calm, mixed = expit(risk), expit(risk + rng.normal(0, 1.5, 20_000))
    assert expect_performance(mixed, 0.2).roc_auc > expect_performance(calm, 0.2).roc_auc + 0.1
    labels = (rng.random(20_000) < rng.permutation(mixed)).astype(int)
    assert expect_performance(mixed, 0.2).roc_auc > roc_auc(labels, mixed) + 0.2


@pytest.mark.parametrize("probabilities", [[0.2, 1.2], [-0.1], [math.nan]])
def test_expectation_refuses_what_is_no_probability(probabilities: list[float]) -> None:
    with pytest.raises(ValueError, match="outside"):
        expect_performance(np.array(probabilities), 0.5)


@pytest.mark.parametrize("probabilities", [[], [0.0, 0.0]])
def test_nothing_is_expected_where_nobody_can_cancel(probabilities: list[float]) -> None:
    found = expect_performance(np.array(probabilities), 0.5)
    assert math.isnan(found.roc_auc)
    assert math.isnan(found.f1)
