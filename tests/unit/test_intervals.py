"""Intervals against repeating the rows of drawn users one by one, and against known truth."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from bench.expected_metrics import expected_calibration_error
from churn_spark.evaluation.bootstrap import (
    METRIC_NAMES,
    MIN_USERS_OF_A_CLASS,
    Bootstrap,
    bootstrap_by_segment,
    bootstrap_by_user,
)
from churn_spark.evaluation.expected import expected_roc_auc
from churn_spark.evaluation.intervals import Interval, mean_intervals, paired_difference
from churn_spark.evaluation.metrics import evaluate

N_ROWS, N_REPLICAS, SEED = 240, 25, 3


def rows(n_rows: int = N_ROWS) -> tuple[np.ndarray, dict[str, np.ndarray], np.ndarray]:
    """Labels, two models' probabilities (one in tenths, so with ties) and users of 1 to 6 rows."""
    rng = np.random.default_rng(11)
    true = rng.beta(1, 4, n_rows)
    users = np.array([f"user {number}" for number in rng.integers(0, n_rows // 2, n_rows)])
    exact = np.clip(true * rng.uniform(0.6, 1.4, n_rows), 0.001, 0.999)
    labels = (rng.random(n_rows) < true).astype(int)
    return labels, {"exact": exact, "tenths": np.round(exact, 1)}, users


def bootstrap(seed: int = SEED) -> Bootstrap:
    thresholds = {"exact": 0.25, "tenths": 0.3}
    return bootstrap_by_user(*rows(), thresholds=thresholds, n_replicas=N_REPLICAS, seed=seed)


def test_draws_are_those_of_repeating_the_rows_of_each_drawn_user() -> None:
    labels, probabilities, users = rows()
    found = bootstrap()
    names = np.unique(users)
    rng = np.random.default_rng(SEED)
    for replica in range(N_REPLICAS):
        drawn = [names[i] for i in rng.integers(len(names), size=len(names))]
        repeated = np.array([row for user in drawn for row in np.flatnonzero(users == user)])
        for model, threshold in (("exact", 0.25), ("tenths", 0.3)):
            metrics = evaluate(labels[repeated], probabilities[model][repeated], threshold)
            for name in METRIC_NAMES:
                got = found.replicas[model][name][replica]
                assert got == pytest.approx(getattr(metrics, name), rel=1e-6), (model, name)


def test_values_are_the_figures_of_the_rows_as_they_are() -> None:
    labels, probabilities, _ = rows()
    found = bootstrap()
    metrics = evaluate(labels, probabilities["exact"], 0.25)
    for name in METRIC_NAMES:
        assert found.values["exact"][name] == pytest.approx(getattr(metrics, name), rel=1e-9)
    assert (found.n, found.n_users) == (N_ROWS, len(np.unique(rows()[2])))


def test_interval_is_between_the_percentiles_of_the_draws() -> None:
    found = bootstrap()
    drawn = found.replicas["exact"]["roc_auc"]
    low, high = np.percentile(drawn, [2.5, 97.5])
    value = found.values["exact"]["roc_auc"]
    assert found.intervals()["exact"]["roc_auc"] == Interval(value, low, high)
    assert low < value < high


def test_upper_end_of_the_calibration_error_is_mirrored_at_the_value() -> None:
    labels, probabilities, users = rows()
    doubled = {"model": np.clip(2 * probabilities["exact"], 0, 0.999)}
    found = bootstrap_by_user(
        labels, doubled, users, thresholds={"model": 0.5}, n_replicas=50, seed=1
    )
    value = found.values["model"]["calibration_error"]
    interval = found.interval("model", "calibration_error")
    lowest = np.percentile(found.replicas["model"]["calibration_error"], 2.5)
    assert interval.high == pytest.approx(2 * value - lowest)
    assert interval.low < value < interval.high


def test_difference_is_paired_and_nothing_between_equal_models() -> None:
    labels, probabilities, users = rows()
    both = {"first": probabilities["exact"], "second": probabilities["exact"]}
    found = bootstrap_by_user(
        labels, both, users, thresholds=dict.fromkeys(both, 0.3), n_replicas=20, seed=1
    )
    assert list(found.differences("first")) == ["second"]
    assert all(i == Interval(0, 0, 0) for i in found.differences("first")["second"].values())


def test_difference_is_that_of_the_draws_of_both_models() -> None:
    found = bootstrap()
    drawn = found.replicas["tenths"]["average_precision"]
    drawn = drawn - found.replicas["exact"]["average_precision"]
    interval = found.differences("exact")["tenths"]["average_precision"]
    assert (interval.low, interval.high) == pytest.approx(np.percentile(drawn, [2.5, 97.5]))


def test_same_seed_gives_the_same_intervals_and_another_seed_others() -> None:
    assert bootstrap().intervals() == bootstrap().intervals()
    assert bootstrap().intervals() != bootstrap(seed=4).intervals()


def test_intervals_are_wider_when_a_user_repeats_their_rows() -> None:
    labels, probabilities, _ = rows()
    arguments = {"thresholds": {"exact": 0.3}, "n_replicas": 200, "seed": 1}
    # Four copies of each row: as different users they pretend to be four times the evidence.
    copied = np.tile(labels, 4), {"exact": np.tile(probabilities["exact"], 4)}
    apart = bootstrap_by_user(*copied, np.arange(4 * N_ROWS), **arguments)
    together = bootstrap_by_user(*copied, np.tile(np.arange(N_ROWS), 4), **arguments)
    wide, narrow = (found.interval("exact", "roc_auc") for found in (together, apart))
    assert wide.high - wide.low > 1.6 * (narrow.high - narrow.low)


def test_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    rng = np.random.default_rng(8)
    true = rng.beta(1, 9, 800)
    off = np.clip(true * 1.5, 0, 0.99)
    hits = {"auc": 0, "calibrated": 0, "off": 0}
    for seed in range(60):
        labels = (rng.random(800) < true).astype(int)
        found = bootstrap_by_user(
            labels,
            {"true": true, "off": off},
            np.arange(800),
            thresholds={"true": 0.2, "off": 0.2},
            n_replicas=100,
            seed=seed,
        )
        auc = found.interval("true", "roc_auc")
        hits["auc"] += auc.low <= expected_roc_auc(true, true) <= auc.high
        hits["calibrated"] += found.interval("true", "calibration_error").low == 0
        error = found.interval("off", "calibration_error")
        hits["off"] += error.low <= expected_calibration_error(true, off) <= error.high
    assert all(count >= 52 for count in hits.values()), hits


def test_value_stands_without_an_interval_when_too_few_users_cancel() -> None:
    n_few = MIN_USERS_OF_A_CLASS - 1
    labels = np.array([1] * n_few + [0] * 60)
    probabilities = {"model": np.linspace(0.9, 0.1, len(labels))}
    found = bootstrap_by_user(
        labels,
        probabilities,
        np.arange(len(labels)),
        thresholds={"model": 0.5},
        n_replicas=20,
        seed=1,
    )
    interval = found.interval("model", "roc_auc")
    assert interval.value == 1.0
    assert math.isnan(interval.low)
    assert math.isnan(interval.high)
    assert math.isnan(found.interval("model", "calibration_error").low)
    assert found.n_positive_users == n_few


def test_segments_are_judged_on_their_own_rows() -> None:
    labels, probabilities, users = rows()
    is_paid = np.arange(N_ROWS) % 4 > 0
    segments = np.where(is_paid, "paid", "free")
    arguments = {"thresholds": {"exact": 0.3, "tenths": 0.3}, "n_replicas": 10, "seed": 2}
    found = bootstrap_by_segment(labels, probabilities, users, segments, **arguments)
    assert list(found) == ["free", "paid"]
    part = {model: scores[is_paid] for model, scores in probabilities.items()}
    alone = bootstrap_by_user(labels[is_paid], part, users[is_paid], **arguments)
    assert found["paid"].intervals() == alone.intervals()
    assert found["free"].n == 60


def test_rows_without_a_user_are_refused() -> None:
    with pytest.raises(ValueError, match="expected as many"):
        bootstrap_by_user(
            np.array([0, 1]), {}, np.array(["a"]), thresholds={}, n_replicas=1, seed=1
        )


def test_interval_reads_as_value_and_ends() -> None:
    assert str(Interval(0.7434, 0.7211, 0.7636)) == "0.743 [0.721, 0.764]"
    assert str(Interval(0.7434, math.nan, math.nan)) == "0.743"


def test_interval_of_a_mean_is_that_of_scipys_bootstrap_over_users() -> None:
    _, probabilities, users = rows()
    values = np.stack([probabilities["exact"], probabilities["tenths"] - 0.5])
    found = mean_intervals(values, users, n_replicas=99, seed=SEED)
    _, user = np.unique(users, return_inverse=True)
    for column, interval in zip(values, found, strict=True):
        expected = stats.bootstrap(
            (np.bincount(user, column), np.bincount(user)),
            lambda sums, n, axis: sums.sum(axis=axis) / n.sum(axis=axis),
            paired=True,
            vectorized=True,
            method="percentile",
            n_resamples=99,
            random_state=SEED,
        ).confidence_interval
        assert interval.value == pytest.approx(column.mean())
        assert (interval.low, interval.high) == pytest.approx((expected.low, expected.high))


def test_mean_has_no_interval_when_there_is_one_user() -> None:
    (found,) = mean_intervals(np.ones((1, 3)), np.zeros(3), n_replicas=9, seed=SEED)
    assert found.value == 1
    assert math.isnan(found.low)
    assert math.isnan(found.high)


def test_paired_error_is_that_of_a_mean_when_users_have_one_row_each() -> None:
    differences = np.random.default_rng(SEED).normal(0.2, 1.0, 50)
    found = paired_difference(differences, np.ones(50))
    assert found == pytest.approx((differences.mean(), stats.sem(differences)))


def test_users_without_a_row_change_nothing_of_a_paired_difference() -> None:
    assert paired_difference(np.array([1.0, 0, 2.0]), np.array([2, 0, 2])) == pytest.approx(
        paired_difference(np.array([1.0, 2.0]), np.array([2, 2]))
    )
    assert paired_difference(np.array([1.0, 0]), np.array([2, 0])) == (0.5, math.inf)
