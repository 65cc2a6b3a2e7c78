"""A row that counts several times is as good as so many copies of it, in every fit and figure."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import date
from typing import cast

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from churn_spark.arrays import Values
from churn_spark.config import load_config
from churn_spark.evaluation.backtest import headline_cell
from churn_spark.evaluation.backtest import measure as measure_backtest
from churn_spark.evaluation.bootstrap import bootstrap_by_user
from churn_spark.evaluation.metrics import best_f1_threshold, evaluate
from churn_spark.evaluation.weights import count_positive_rows, count_positive_users
from churn_spark.models.baselines import Rule
from churn_spark.models.calibration import KINDS, fit_calibration
from churn_spark.models.calibration_choice import choose_calibration
from churn_spark.models.class_weights import class_weight_of
from churn_spark.models.encoding import Encoding
from churn_spark.models.estimators import TreePlan, fit_trees
from churn_spark.models.learnt_rows import LearntRows
from churn_spark.models.logistic import choose_reg_param, fit_logistic_regression
from churn_spark.models.margins import tree_margins
from churn_spark.models.offset import Offset, fit_offset
from churn_spark.models.rounds import choose_rounds
from churn_spark.monitoring.performance.base_rate import at_base_rate
from churn_spark.monitoring.performance.labelled import find_limits, labelled_rows
from churn_spark.monitoring.performance.performance import auc_covariance
from tests.list_builders import small_bundle

DAY = date(2026, 3, 2)
CONFIG = load_config()
ENCODING = Encoding(("thumbs_up", "downgrades_28d"), {}, {}, "test")
NO_SPARK = cast(SparkSession, None)

ROWS = st.lists(
    st.tuples(
        st.integers(0, 1), st.integers(1, 9), st.sampled_from("abcdef"), st.sampled_from([1, 2, 4])
    ),
    min_size=2,
    max_size=30,
).filter(lambda rows: len({label for label, *_ in rows}) == 2)
Columns = tuple[Values, Values, Values, Values]


def columns(rows: list[tuple[int, int, str, int]]) -> Columns:
    labels, tenths, users, weights = zip(*rows, strict=True)
    found = [np.array(labels, dtype=float), np.array(tenths) / 10, np.array(users, dtype=object)]
    return (*found, np.array(weights, dtype=float))  # type: ignore[return-value]


def copied(columns: Columns) -> Columns:
    *others, weights = columns
    many = [np.repeat(one, weights.astype(int)) for one in others]
    return (*many, np.ones(len(many[0])))  # type: ignore[return-value]


def planted(n: int = 400, seed: int = 4) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    signal = rng.normal(size=n)
    return pd.DataFrame(
        {
            "as_of": DAY,
            "user_id": [f"u{i}" for i in range(n)],
            "label": (rng.random(n) < 1 / (1 + np.exp(1 - signal))).astype(int),
            "thumbs_up": np.exp(signal + rng.normal(size=n)),
            "downgrades_28d": rng.integers(0, 4, n).astype(float),
            "stated": 1 / (1 + np.exp(1 - signal + rng.normal(size=n))),
            "hours_since_last_event": rng.integers(0, 200, n).astype(float),
            "last_subscription_level": rng.choice(["paid", "free"], n),
            "weight": rng.choice([1.0, 3.0], n),
        }
    )


def copies_of(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.loc[rows.index.repeat(rows["weight"].astype(int))].drop(columns="weight")


@given(ROWS)
@settings(max_examples=60, deadline=None)
def test_figures_are_those_of_copies(rows: list[tuple[int, int, str, int]]) -> None:
    labels, chances, users, weights = columns(rows)
    many_labels, many_chances, many_users, _ = copied(columns(rows))
    found = asdict(evaluate(labels, chances, 0.5, weights))
    expected = asdict(evaluate(many_labels, many_chances, 0.5))
    for name in expected.keys() - {"n", "n_positive"}:
        if not name.startswith(("true_", "false_")):
            assert found[name] == pytest.approx(expected[name], nan_ok=True, abs=1e-6), name
    assert (found["n"], found["n_positive"]) == (len(labels), int(labels.sum()))
    assert best_f1_threshold(labels, chances, weights) == best_f1_threshold(
        many_labels, many_chances
    )
    auc, covariance = auc_covariance(labels, chances[None, :], users, weights)
    many = auc_covariance(many_labels, many_chances[None, :], many_users)
    np.testing.assert_allclose(auc, many[0])
    np.testing.assert_allclose(covariance, many[1], atol=1e-12)


def test_draws_of_users_are_those_of_copies() -> None:
    rows = planted()
    labels, users = rows["label"].to_numpy(float), rows["user_id"].to_numpy()
    many = copies_of(rows)
    found, expected = (
        bootstrap_by_user(
            one["label"].to_numpy(float),
            {"m": one["stated"].to_numpy()},
            one["user_id"].to_numpy(),
            thresholds={"m": 0.3},
            n_replicas=30,
            seed=1,
            weights=one["weight"].to_numpy() if "weight" in one else None,
        )
        for one in (rows, many)
    )
    for name, values in expected.replicas["m"].items():
        np.testing.assert_allclose(found.replicas["m"][name], values, atol=1e-6, err_msg=name)
    assert found.n == len(rows)
    # Three times as much weight for some makes an interval wider than as many users would.
    assert count_positive_users(labels, users, rows["weight"].to_numpy()) < labels.sum()
    assert count_positive_users(labels, users, np.full(len(rows), 7.0)) == labels.sum()


def test_few_who_count_for_many_are_no_more_than_they_tell() -> None:
    labels = np.concatenate([np.ones(50), np.zeros(500)])
    weights = np.concatenate([np.full(10, 10.0), np.ones(540)])
    assert count_positive_rows(labels) == 50
    assert count_positive_rows(labels, np.full(550, 3.0)) == 50
    # Kish: (10 * 10 + 40)^2 / (10 * 100 + 40).
    assert count_positive_rows(labels, weights) == 18
    cells = np.full(550, "both", dtype=object)
    assert headline_cell(cells, labels) == "both"
    assert headline_cell(cells, labels, weights) == "test"


def test_users_of_whom_one_counts_for_all_give_no_interval() -> None:
    labels = np.tile([1.0, 0.0], 30)
    one_of_all = np.where(np.arange(60) == 0, 1e4, 1.0)
    chances = {"m": np.linspace(0.1, 0.9, 60)}
    for weights, n_drawn in ((None, 20), (one_of_all, 0)):
        found = bootstrap_by_user(
            labels,
            chances,
            np.arange(60),
            thresholds={"m": 0.5},
            n_replicas=20,
            seed=1,
            weights=weights,
        )
        assert {len(values) for values in found.replicas["m"].values()} == {n_drawn}


def test_user_counts_by_the_most_that_one_row_counts() -> None:
    users = np.array(["a", "a", "a", "a", "b", "c"])
    # Four rows of one user tell no more than one; as a sum they would weigh four times as much.
    assert count_positive_users(np.ones(6), users, np.full(6, 2.0)) == 3


def test_window_keeps_how_many_cancel_beside_how_much_that_tells() -> None:
    parts = {"level": "paid", "tenure_band": "over 90 days", "os": "Mac"}
    rows = planted().rename(columns={"stated": "churn_probability"}).assign(**parts)
    bundle = replace(small_bundle(), metrics={"threshold": 0.5})
    found = labelled_rows(rows, rows, DAY, bundle, CONFIG.monitoring)
    labels, users = rows["label"].to_numpy(), rows["user_id"].to_numpy()
    told = count_positive_users(labels, users, rows["weight"].to_numpy())
    assert {(row["n_cancels"], row["n_positive"]) for row in found} == {(labels.sum(), told)}
    assert told < labels.sum()


def test_window_of_which_no_row_counts_is_not_measured() -> None:
    """As at a small service whose list had everybody: who was called counts on no side."""
    parts = {"level": "paid", "tenure_band": "over 90 days", "os": "Mac"}
    rows = planted().rename(columns={"stated": "churn_probability"}).assign(**parts)
    bundle = replace(small_bundle(), metrics={"threshold": 0.5})
    assert labelled_rows(rows.iloc[:0], rows, DAY, bundle, CONFIG.monitoring) == []


@pytest.mark.parametrize("kind", KINDS)
def test_calibrations_are_those_of_copies(kind: str) -> None:
    rows, many = planted(), copies_of(planted())
    margins = [np.log(one["stated"] / (1 - one["stated"])).to_numpy() for one in (rows, many)]
    found = fit_calibration(
        kind, margins[0], rows["label"].to_numpy(float), rows["weight"].to_numpy()
    )
    expected = fit_calibration(kind, margins[1], many["label"].to_numpy(float))
    apart = np.abs(found.probabilities(margins[0]) - expected.probabilities(margins[0]))
    # What is added for its own sake weighs against the rows, of which the copies are more.
    assert apart.mean() <= {"none": 0, "shift": 1e-9, "beta": 1e-3, "isotonic": 5e-3}[kind]
    plain = fit_calibration(kind, margins[0], rows["label"].to_numpy(float))
    ones = fit_calibration(kind, margins[0], rows["label"].to_numpy(float), np.ones(len(rows)))
    np.testing.assert_allclose(plain.probabilities(margins[0]), ones.probabilities(margins[0]))


def test_a_calibration_is_chosen_by_what_rows_count() -> None:
    """Of twice as many who cancel as before, the shift is the log of about two."""
    rows = planted(3000)
    weights = np.where(rows["label"] == 1, 2.0, 1.0)
    margins = np.log(rows["stated"] / (1 - rows["stated"])).to_numpy()
    args = margins, rows["label"].to_numpy(float), rows["user_id"].to_numpy()
    mean = float(choose_calibration(*args, seed=1).calibration.probabilities(margins).mean())
    found = choose_calibration(*args, seed=1, weights=weights).calibration.probabilities(margins)
    assert np.average(found, weights=weights) == pytest.approx(
        np.average(rows["label"], weights=weights), abs=0.01
    )
    assert found.mean() > mean + 0.05


def test_regressions_and_offsets_are_those_of_copies() -> None:
    rows, many = planted(), copies_of(planted())
    config = CONFIG.logistic_regression
    plain, found, expected = (
        fit_logistic_regression(one, ENCODING, config, 0.0)
        for one in (rows.drop(columns="weight"), rows, many)
    )
    at = [model.probabilities(rows) for model in (plain, found, expected)]
    np.testing.assert_allclose(at[1], at[2], atol=1e-5)
    assert np.abs(at[0] - at[1]).max() > 0.01
    offsets = [fit_offset(one, ["stated"], 0.2) for one in (rows, many)]
    assert offsets[0].intercept == pytest.approx(offsets[1].intercept, abs=1e-6)
    assert offsets[0].slopes == pytest.approx(offsets[1].slopes, abs=1e-6)
    chosen = [choose_reg_param(one, one, ENCODING, config) for one in (rows, many)]
    assert chosen[0] == chosen[1]
    rates = [vars(Rule.fit(one)) for one in (rows, many)]
    assert rates[0] == pytest.approx(rates[1])


def test_trees_are_grown_to_what_rows_count() -> None:
    """Where each canceller counts three times, three times the odds come out."""
    rows = planted(3000).assign(split="train")
    rows["weight"] = np.where(rows["label"] == 1, 3.0, 1.0)
    plan = TreePlan(60, 1.0, 7, Offset.at(None, 0.3))
    learnt = LearntRows.of_frame(rows, NO_SPARK)
    text = fit_trees(learnt, ENCODING, CONFIG.lightgbm, plan, "lightgbm")
    chances = 1 / (1 + np.exp(-tree_margins(rows, ENCODING, text, plan.offset)))
    assert np.average(chances, weights=rows["weight"]) == pytest.approx(
        np.average(rows["label"], weights=rows["weight"]), abs=0.03
    )
    assert learnt.base_rate == pytest.approx(np.average(rows["label"], weights=rows["weight"]))
    balanced = CONFIG.lightgbm.model_copy(update={"class_weight": "balanced"})
    assert class_weight_of(learnt, balanced) == pytest.approx(1 / learnt.base_rate - 1)


def test_rows_that_count_nothing_are_left_out() -> None:
    rows = planted(6).assign(split="train", weight=[0.0, 1.0, 10.0, 1.0, 0.0, 1.0])
    learnt = LearntRows.of_frame(rows, NO_SPARK)
    assert len(learnt.counting.take(10)) == 4
    assert learnt.is_weighted
    plain = LearntRows.of_frame(rows.drop(columns="weight"), NO_SPARK)
    assert not plain.is_weighted
    assert plain.counting is plain


def test_rounds_are_chosen_by_what_rows_count() -> None:
    """Most rows do better with few trees, those that count most with many."""
    n = 60
    losses = np.array(
        [np.where(np.arange(n) < 50, 0.1, 0.9), np.where(np.arange(n) < 50, 0.2, 0.1)]
    )
    users = np.array([f"u{i}" for i in range(n)], dtype=object)
    weights = np.where(np.arange(n) < 50, 1.0, 30.0)
    few = np.where(np.arange(n) < 50, 1.0, 1e-3)
    assert choose_rounds(losses, users, [5, 10], weights).best == 10
    assert choose_rounds(losses, users, [5, 10], few).rounds == 5
    # Of rows that count the same the many trees would be the best.
    halves = np.arange(100) < 50
    losses = np.array([np.where(halves, 0.1, 0.5), np.full(100, 0.2)])
    users, heavy = np.array([f"u{i}" for i in range(100)], object), np.where(halves, 9.0, 1.0)
    assert choose_rounds(losses, users, [5, 10]).best == 10
    assert choose_rounds(losses, users, [5, 10], heavy).best == 5


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_rows_at_a_base_rate_have_it_by_what_they_count(share: float) -> None:
    rows = planted(2000)
    found = at_base_rate(rows, share)
    assert np.average(found["label"], weights=found["weight"]) == pytest.approx(share, abs=0.01)
    alone = at_base_rate(rows.drop(columns="weight"), share)
    assert alone["label"].mean() == pytest.approx(share, abs=0.001)
    ones = at_base_rate(rows.assign(weight=1.0), share)
    assert [*ones.index] == [*alone.index]


def test_a_backtest_measures_by_what_rows_count() -> None:
    rows = planted()
    parts = dict.fromkeys(("level", "tenure_band", "os", "gender"), "all of them")
    rows = rows.assign(cell="both", lightgbm=rows["stated"], **parts)
    figures = [
        measure_backtest(one, ["lightgbm"], {"lightgbm": 0.3}, n_replicas=5, seed=1).set_index(
            ["cell", "segment", "metric"]
        )["value"]
        for one in (rows, copies_of(rows))
    ]
    assert figures[0].to_dict() == pytest.approx(figures[1].to_dict(), abs=1e-6)
    assert figures[0]["both", "os=all of them", "brier"] == figures[0]["both", "all", "brier"]


@pytest.mark.parametrize(
    ("n_rows", "is_held_out", "is_weighted", "expected"),
    [
        (3, False, False, []),
        (4, False, False, ["sample"]),
        (3, True, False, ["held_out"]),
        (4, True, True, ["held_out", "untouched", "sample"]),
    ],
)
def test_figures_are_told_with_what_their_users_are_limited_to(
    n_rows: int, is_held_out: bool, is_weighted: bool, expected: list[str]
) -> None:
    rows = pd.DataFrame({"user_id": range(n_rows)})
    rows = rows.assign(weight=1.0) if is_weighted else rows
    limits = CONFIG.monitoring.model_copy(update={"max_labelled_rows": 4})
    assert find_limits(rows, limits, is_held_out=is_held_out) == expected
