"""Reasons: the largest contributions first, in words that people understand."""

from __future__ import annotations

import math

import lightgbm
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from churn_spark.features.spec import FEATURES, Feature
from churn_spark.models.explain import contributions, describe, reasons

BY_NAME = {feature.name: feature for feature in FEATURES}
DOWNGRADES, LISTENED = BY_NAME["num_downgrades"], BY_NAME["total_listen_time"]
LEVEL = BY_NAME["last_subscription_level"]
SHOWN = (DOWNGRADES, LISTENED, LEVEL)
TYPICAL = {"num_downgrades": 0.0, "total_listen_time": 36_000.0, "last_subscription_level": "paid"}
ROW = pd.DataFrame(
    {"num_downgrades": [4], "total_listen_time": [5_400.0], "last_subscription_level": ["free"]}
)


def reasons_of(shap: list[float], n_reasons: int = 3) -> list[str]:
    return reasons(ROW, np.array([shap]), SHOWN, TYPICAL, n_reasons)[0]


def test_reasons_are_ordered_by_size_and_say_the_direction() -> None:
    assert reasons_of([0.2, -0.9, 0.5]) == [
        "listened for 1.5 hours so far (typical: 10.0 hours): lowers the risk",
        "subscription is free (most common: paid): raises the risk",
        "visited Downgrade 4 times (typical: 0): raises the risk",
    ]


def test_reasons_are_cut_to_the_number_asked_for() -> None:
    assert [text.split()[0] for text in reasons_of([0.2, -0.9, 0.5], 2)] == [
        "listened",
        "subscription",
    ]


def test_contribution_of_zero_is_no_reason() -> None:
    assert [text.split()[0] for text in reasons_of([0.0, 0.0, -0.5])] == ["subscription"]


def test_reasons_are_none_when_all_contributions_are_zero() -> None:
    assert reasons_of([0.0, 0.0, 0.0]) == []


def test_table_order_decides_when_contributions_are_equally_large() -> None:
    found = reasons_of([0.3, -0.3, 0.3])
    assert [text.split()[0] for text in found] == ["visited", "listened", "subscription"]


def test_each_row_has_its_own_reasons() -> None:
    rows = pd.concat([ROW, ROW.assign(num_downgrades=7)], ignore_index=True)
    found = reasons(rows, np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]), SHOWN, TYPICAL, 3)
    assert found == [
        ["subscription is free (most common: paid): raises the risk"],
        ["visited Downgrade 7 times (typical: 0): raises the risk"],
    ]


def test_index_of_the_rows_does_not_matter() -> None:
    shap = np.array([[1.0, 0.0, 0.0]])
    assert reasons(ROW.set_axis([99]), shap, SHOWN, TYPICAL, 3) == [
        ["visited Downgrade 4 times (typical: 0): raises the risk"]
    ]


def test_reasons_are_empty_when_there_are_no_rows() -> None:
    assert reasons(ROW.iloc[:0], np.empty((0, 3)), SHOWN, TYPICAL, 3) == []


@settings(deadline=None)
@given(
    shap=hnp.arrays(np.float64, (1, 3), elements=st.floats(-5, 5, allow_subnormal=False)),
    n_reasons=st.integers(1, 5),
)
def test_reasons_are_the_largest_nonzero_contributions(shap: np.ndarray, n_reasons: int) -> None:
    found = reasons(ROW, shap, SHOWN, TYPICAL, n_reasons)[0]
    assert len(found) == min(n_reasons, np.count_nonzero(shap))
    first_words = {"visited": 0, "listened": 1, "subscription": 2}
    sizes = [abs(shap[0, first_words[text.split()[0]]]) for text in found]
    assert sizes == sorted(np.abs(shap[0]), reverse=True)[: len(found)]


@pytest.mark.parametrize("missing", [None, math.nan, pd.NA, np.float64("nan")])
@pytest.mark.parametrize(
    ("feature", "expected"),
    [
        (DOWNGRADES, "visits of the Downgrade page, completed or not unknown"),
        (BY_NAME["os"], "operating system of the newest known device unknown"),
    ],
    ids=["number", "category"],
)
def test_value_is_said_to_be_unknown_when_missing(
    feature: Feature, missing: object, expected: str
) -> None:
    assert describe(feature, missing, None) == expected


@pytest.mark.parametrize(
    ("name", "value", "typical", "expected"),
    [
        ("tenure_days", 91.7, 60.2, "customer for 92 days (typical: 60)"),
        ("total_songs_played", 12_345, 6.0, "played 12,345 songs so far (typical: 6)"),
        (
            "total_listen_time",
            9_000_000.0,
            3_600.0,
            "listened for 2,500.0 hours so far (typical: 1.0 hours)",
        ),
        (
            "avg_songs_per_session",
            80.06,
            71.0,
            "plays 80.1 songs a session (typical: 71.0)",
        ),
        ("num_thumbs_up", np.int64(3), None, "gave 3 thumbs up (typical: unknown)"),
        ("location", "NY", "CA", "lives in NY"),
        ("browser", "Firefox", None, "uses the browser Firefox"),
        ("last_subscription_level", "paid", None, "subscription is paid (most common: unknown)"),
    ],
)
def test_value_is_described_in_its_unit(
    name: str, value: object, typical: object, expected: str
) -> None:
    assert describe(BY_NAME[name], value, typical) == expected


@pytest.fixture(scope="module")
def booster() -> lightgbm.Booster:
    generator = np.random.default_rng(7)
    matrix = generator.normal(size=(300, 3))
    matrix[:, 2] = 1.0
    labels = (matrix[:, 0] + 0.2 * generator.normal(size=300) > 0).astype(float)
    parameters = {"objective": "binary", "num_threads": 1, "num_leaves": 5, "verbosity": -1}
    return lightgbm.train(parameters, lightgbm.Dataset(matrix, labels), num_boost_round=10)


def test_contributions_and_a_constant_add_up_to_the_margin(booster: lightgbm.Booster) -> None:
    matrix = np.random.default_rng(1).normal(size=(20, 3))
    found = contributions(booster, matrix)
    assert found.shape == (20, 3)
    rest = booster.predict(matrix, raw_score=True) - found.sum(axis=1)
    np.testing.assert_allclose(rest, rest[0], rtol=1e-9)


def test_contribution_is_large_where_the_label_depends_on_it(booster: lightgbm.Booster) -> None:
    found = contributions(booster, np.array([[2.0, 0.0, 1.0], [-2.0, 0.0, 1.0]]))
    assert found[0, 0] > 1 > -1 > found[1, 0]
    assert found[:, 2].tolist() == [0.0, 0.0]
