"""Importance: the mean contribution, and whether the folds agree on it."""

from __future__ import annotations

import lightgbm
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from churn_spark.models.importance import gain_shares, measure_importance

FOLDS = [
    np.array([[1.0, -4.0, 0.0], [-3.0, 4.0, 0.0]]),
    np.array([[6.0, -1.0, 0.0], [6.0, 3.0, 0.0], [6.0, 2.0, 0.0]]),
]
# Of numbers next to the smallest double a multiple is another share.
SIZES = st.floats(-9, 9, width=16)


def test_importance_is_the_mean_size_over_folds_however_many_rows_they_have() -> None:
    found = measure_importance(FOLDS, ["a", "b", "none"], [0.2, 0.7, 0.1])
    assert [(one.feature, one.mean_abs_shap, one.gain) for one in found] == [
        ("a", 4.0, 0.2),
        ("b", 3.0, 0.7),
        ("none", 0.0, 0.1),
    ]
    assert [one.share for one in found] == [4 / 7, 3 / 7, 0.0]


def test_ranks_span_the_folds_and_variation_is_by_the_sample() -> None:
    found = measure_importance(FOLDS, ["a", "b", "none"], [0.0] * 3)
    assert [(one.best_rank, one.worst_rank) for one in found] == [(1, 2), (1, 2), (3, 3)]
    assert found[0].variation == pytest.approx(np.sqrt(8) / 4)
    assert found[1].variation == pytest.approx(np.sqrt(2) / 3)
    assert found[2].variation is None


def test_variation_is_not_known_when_there_is_one_fold() -> None:
    found = measure_importance(FOLDS[:1], ["a", "b", "none"], [0.0] * 3)
    assert [one.variation for one in found] == [None] * 3
    assert [one.feature for one in found] == ["b", "a", "none"]


def test_shares_are_zero_when_nothing_contributes() -> None:
    found = measure_importance([np.zeros((2, 2))], ["a", "b"], [0.0, 0.0])
    assert [(one.feature, one.share, one.worst_rank) for one in found] == [
        ("a", 0.0, 1),
        ("b", 0.0, 1),
    ]


@pytest.mark.parametrize(
    "folds", [[], [np.empty((0, 2))], [np.ones((3, 2)), np.ones((3, 1))]], ids=str
)
def test_folds_are_refused_when_they_do_not_fit(folds: list[np.ndarray]) -> None:
    with pytest.raises(ValueError, match="each with 2 columns"):
        measure_importance(folds, ["a", "b"], [0.0, 0.0])


@given(
    folds=st.lists(hnp.arrays(np.float64, (3, 4), elements=SIZES), min_size=2),
    scale=st.floats(0.5, 4),
)
def test_order_and_shares_keep_when_signs_or_the_unit_change(
    folds: list[np.ndarray], scale: float
) -> None:
    names = list("abcd")
    found = measure_importance(folds, names, [0.0] * 4)
    turned = measure_importance([-scale * fold for fold in folds], names, [0.0] * 4)
    by_name = {one.feature: one for one in turned}
    for one in found:
        assert one.best_rank <= one.worst_rank
        assert by_name[one.feature].share == pytest.approx(one.share)
    assert sum(one.share for one in found) == pytest.approx(
        1.0 if any(fold.any() for fold in folds) else 0.0
    )
    sizes = [one.mean_abs_shap for one in found]
    assert sizes == sorted(sizes, reverse=True)


def test_gain_goes_to_the_feature_that_decides() -> None:
    matrix = np.random.default_rng(3).normal(size=(200, 2))
    labels = (matrix[:, 1] > 0).astype(float)
    parameters = {"objective": "binary", "num_threads": 1, "verbosity": -1}
    trees = lightgbm.train(parameters, lightgbm.Dataset(matrix, labels), num_boost_round=5)
    shares = gain_shares(trees)
    assert sum(shares) == pytest.approx(1.0)
    assert shares[1] > 0.9
    blank = lightgbm.train(parameters, lightgbm.Dataset(np.ones((200, 2)), labels), 1)
    assert gain_shares(blank) == [0.0, 0.0]
