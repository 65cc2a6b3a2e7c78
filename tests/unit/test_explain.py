"""Reasons: the largest contributions first, in words that people understand."""

from __future__ import annotations

import re

import lightgbm
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from churn_spark.contracts.features.spec import FEATURES
from churn_spark.errors import ExplanationError
from churn_spark.models.bundle import ModelBundle
from churn_spark.models.calibration import Calibration
from churn_spark.models.encoding import Encoding
from churn_spark.models.explain import Contributions, check_sums, contributions, reasons
from churn_spark.models.offset import Offset

BY_NAME = {feature.name: feature for feature in FEATURES}
DOWNGRADES, LISTENED = BY_NAME["num_downgrades"], BY_NAME["total_listen_time"]
LEVEL = BY_NAME["last_subscription_level"]
SHOWN = (DOWNGRADES, LISTENED, LEVEL)
TYPICAL = {"num_downgrades": 0.0, "total_listen_time": 36_000.0, "last_subscription_level": "paid"}
ROW = pd.DataFrame(
    {"num_downgrades": [4], "total_listen_time": [5_400.0], "last_subscription_level": ["free"]}
)


def reasons_of(shap: list[float], n_reasons: int = 3) -> list[str]:
    found = reasons(ROW, np.array([shap]), SHOWN, TYPICAL, n_reasons)[0]
    return [reason.sentence for reason in found]


def test_reasons_are_ordered_by_size_and_say_the_direction() -> None:
    assert reasons_of([0.2, -0.9, 0.5]) == [
        "listened for 1.5 hours so far (typical: 10 hours): lowers the risk",
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
    assert [[reason.sentence for reason in several] for several in found] == [
        ["subscription is free (most common: paid): raises the risk"],
        ["visited Downgrade 7 times (typical: 0): raises the risk"],
    ]


def test_index_of_the_rows_does_not_matter() -> None:
    shap = np.array([[1.0, 0.0, 0.0]])
    found = reasons(ROW.set_axis([99]), shap, SHOWN, TYPICAL, 3)
    assert found == reasons(ROW, shap, SHOWN, TYPICAL, 3)
    assert [reason.contribution for reason in found[0]] == [1.0]


def test_reasons_are_empty_when_there_are_no_rows() -> None:
    assert reasons(ROW.iloc[:0], np.empty((0, 3)), SHOWN, TYPICAL, 3) == []


@settings(deadline=None)
@given(
    shap=hnp.arrays(np.float64, (1, 3), elements=st.floats(-5, 5, allow_subnormal=False)),
    n_reasons=st.integers(1, 5),
)
def test_reasons_are_the_largest_nonzero_contributions(shap: np.ndarray, n_reasons: int) -> None:
    found = [one.sentence for one in reasons(ROW, shap, SHOWN, TYPICAL, n_reasons)[0]]
    assert len(found) == min(n_reasons, np.count_nonzero(shap))
    first_words = {"visited": 0, "listened": 1, "subscription": 2}
    sizes = [abs(shap[0, first_words[text.split()[0]]]) for text in found]
    assert sizes == sorted(np.abs(shap[0]), reverse=True)[: len(found)]


@pytest.fixture(scope="module")
def booster() -> lightgbm.Booster:
    generator = np.random.default_rng(7)
    matrix = generator.normal(size=(300, 3))
    matrix[:, 2] = 1.0
    labels = (matrix[:, 0] + 0.2 * generator.normal(size=300) > 0).astype(float)
    parameters = {"objective": "binary", "num_threads": 1, "num_leaves": 5, "verbosity": -1}
    return lightgbm.train(parameters, lightgbm.Dataset(matrix, labels), num_boost_round=10)


def test_contributions_and_expected_value_are_the_margin(booster: lightgbm.Booster) -> None:
    matrix = np.random.default_rng(1).normal(size=(20, 3))
    found = contributions(booster, matrix)
    assert found.values.shape == (20, 3)
    margins = booster.predict(matrix, raw_score=True)
    np.testing.assert_allclose(found.margins, margins, rtol=1e-9)
    check_sums(found, margins)


def test_contribution_is_large_where_the_label_depends_on_it(booster: lightgbm.Booster) -> None:
    found = contributions(booster, np.array([[2.0, 0.0, 1.0], [-2.0, 0.0, 1.0]])).values
    assert found[0, 0] > 1 > -1 > found[1, 0]
    assert found[:, 2].tolist() == [0.0, 0.0]


def test_expected_value_is_known_when_there_are_no_rows(booster: lightgbm.Booster) -> None:
    none, some = (contributions(booster, np.ones((n, 3))) for n in (0, 2))
    assert none.values.shape == (0, 3)
    assert none.expected == some.expected


@settings(deadline=None, max_examples=50)
@given(
    rows=hnp.arrays(np.float64, (4, 3), elements=st.floats(-1e6, 1e6) | st.just(np.nan)),
    offset=hnp.arrays(np.float64, (4,), elements=st.floats(-14, 14)),
    reference=st.floats(-14, 14),
    column=st.integers(0, 2),
)
def test_sums_are_the_margin_with_any_offset(
    booster: lightgbm.Booster, rows: np.ndarray, offset: np.ndarray, reference: float, column: int
) -> None:
    trees = contributions(booster, rows)
    found = trees.with_offset(offset, column, reference)
    check_sums(found, booster.predict(rows, raw_score=True) + offset)
    others = [position for position in range(3) if position != column]
    assert np.array_equal(found.values[:, others], trees.values[:, others])


def test_offset_is_credited_from_its_reference_and_leaves_the_trees_part() -> None:
    trees = Contributions(np.array([[0.5, -1.0], [0.25, 0.0]]), -2.0)
    found = trees.with_offset(np.array([-3.0, -1.0]), 1, -3.0)
    assert found.values.tolist() == [[0.5, -1.0], [0.25, 2.0]]
    assert found.expected == -5.0
    assert trees.values.tolist() == [[0.5, -1.0], [0.25, 0.0]]


@pytest.mark.parametrize("wrong", [1e-6, -0.5, np.nan, np.inf])
def test_explanation_is_refused_when_one_row_is_off(wrong: float) -> None:
    explained = Contributions(np.array([[1.0, 2.0], [0.5, 0.25]]), -3.0)
    check_sums(explained, np.array([0.0, -2.25]))
    with pytest.raises(ExplanationError, match=re.escape("of 1 of 2 rows don't add up: row 1")):
        check_sums(explained, np.array([0.0, -2.25 + wrong]))


def test_explanation_is_refused_when_it_is_of_other_rows() -> None:
    with pytest.raises(ExplanationError, match="contributions of 2 rows and 3 margins"):
        check_sums(Contributions(np.zeros((2, 1)), 0.0), np.zeros(3))


def bundle_with(booster: lightgbm.Booster, offset: Offset | None) -> ModelBundle:
    names = ("behaviour_probability", "songs_7d", "sessions_7d")
    typical = {"behaviour_probability": 0.05, "songs_7d": 20.0, "sessions_7d": 2.0}
    return ModelBundle(
        native_text=booster.model_to_string(),
        encoding=Encoding(names, {}, typical, "00aa"),
        calibration=Calibration("none"),
        base_rate=0.1,
        label={},
        baseline=pd.DataFrame(),
        offset=offset,
    )


def test_bundle_credits_its_offset_to_the_feature_from_the_typical_row(
    booster: lightgbm.Booster,
) -> None:
    offset = Offset.at("behaviour_probability", fallback=0.1)
    rows = pd.DataFrame(
        {"behaviour_probability": [0.05, 0.5, np.nan], "songs_7d": 1, "sessions_7d": 1}
    )
    plain, found = bundle_with(booster, None), bundle_with(booster, offset)
    credited = found.contributions(rows).values - plain.contributions(rows).values
    odds = np.array([1.0, 19.0, 19.0 / 9.0])
    np.testing.assert_allclose(credited[:, 0], np.log(odds), atol=1e-12)
    assert not credited[:, 1:].any()
    np.testing.assert_allclose(
        found.contributions(rows).margins, found.margins(found.encoding.encode(rows)), rtol=1e-9
    )


def test_bundle_refuses_reasons_that_leave_its_offset_out(
    booster: lightgbm.Booster, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = bundle_with(booster, Offset.at("behaviour_probability", fallback=0.1))
    rows = pd.DataFrame({"behaviour_probability": [0.4], "songs_7d": [3], "sessions_7d": [1]})
    assert len(bundle.reasons(rows, 1)[0]) == 1
    monkeypatch.setattr(Contributions, "with_offset", lambda self, *_: self)
    with pytest.raises(ExplanationError, match="give the trees, the matrix and the offset"):
        bundle.reasons(rows, 1)
