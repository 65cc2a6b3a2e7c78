"""The log-odds that trees add to."""

from __future__ import annotations

import numpy as np
from scipy.special import expit

from churn_spark.models.offset import Offset


def test_offset_is_the_logit_of_the_feature_and_of_the_fallback_where_unknown() -> None:
    matrix = np.array([[1.0, 0.2], [1.0, np.nan], [1.0, 0.9]])
    found = Offset.at("chance", 0.05).values(matrix, ["other", "chance"])
    assert np.allclose(expit(found), [0.2, 0.05, 0.9])


def test_offset_stays_finite_at_certainty() -> None:
    found = Offset.at("chance", 0.05).values(np.array([[0.0], [1.0]]), ["chance"])
    assert np.all(np.isfinite(found))
    assert found[0] < -10
    assert found[1] > 10


def test_offset_without_a_feature_is_the_same_for_all_rows() -> None:
    found = Offset.at(None, 0.05).values(np.array([[1.0], [np.nan]]), ["other"])
    assert np.allclose(expit(found), 0.05)


def test_one_row_has_the_offset_that_it_has_among_others() -> None:
    for offset in (Offset.at("chance", 0.05), Offset.at(None, 0.05)):
        matrix = offset.values(np.array([[0.3], [np.nan], [0.0]]), ["chance"])
        rows = [{"chance": 0.3}, {}, {"chance": 0.0}]
        assert [offset.value_of(row) for row in rows] == list(matrix)
        assert offset.value_of({"chance": None}) == offset.value_of({"chance": np.nan}) == matrix[1]
