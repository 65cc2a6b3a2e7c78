"""The log-odds that trees add to."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from churn_spark.models.offset import Offset, fit_offset


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


def make_rows(slope: float, n: int = 40_000) -> pd.DataFrame:
    """Rows of two forecasts: the labels follow the first one, and the other with a slope."""
    rng = np.random.default_rng(3)
    logs = rng.normal([-2.0, -1.0], 0.8, (n, 2))
    chances = expit(0.5 + 0.9 * logs[:, 0] + slope * logs[:, 1])
    labels = (rng.random(n) < chances).astype(int)
    return pd.DataFrame({"one": expit(logs[:, 0]), "other": expit(logs[:, 1]), "label": labels})


def test_fitted_offset_finds_what_each_forecast_holds() -> None:
    found = fit_offset(make_rows(0.4), ["one", "other"], 0.1)
    assert found.slopes["one"] == pytest.approx(0.9, abs=0.05)
    assert found.slopes["other"] == pytest.approx(0.4, abs=0.05)
    assert found.intercept == pytest.approx(0.5, abs=0.1)


def test_forecast_that_hardly_varies_gets_no_steep_slope_from_few_rows() -> None:
    """Of the same share of cancellations for each forecast, a thousand times as many rows do."""
    one_log = pd.DataFrame({"flat": [0.05] * 100 + [0.055] * 100})
    few = one_log.assign(label=[1] * 4 + [0] * 96 + [1] * 8 + [0] * 92)
    assert 0.0 < fit_offset(few, ["flat"], 0.05).slopes["flat"] < 0.5
    many = pd.concat([few] * 1000, ignore_index=True)
    assert fit_offset(many, ["flat"], 0.05).slopes["flat"] > 5.0


def test_forecast_with_a_negative_slope_is_left_out_and_the_others_are_fitted_again() -> None:
    rows = make_rows(-0.5)
    found = fit_offset(rows, ["one", "other"], 0.1)
    alone = fit_offset(rows, ["one"], 0.1)
    assert found == alone
    assert set(found.slopes) == {"one"}


def test_fitted_offset_without_a_forecast_is_the_base_rate() -> None:
    assert fit_offset(make_rows(0.0, 50), [], 0.2) == Offset.at(None, 0.2)
    hopeless = make_rows(0.0).assign(one=lambda rows: 1.0 - rows["one"])
    assert fit_offset(hopeless, ["one"], 0.2) == Offset.at(None, 0.2)


def test_parts_and_the_intercept_add_up_to_the_offset() -> None:
    offset = Offset({"one": 0.5, "other": 2.0}, -0.3, 0.1)
    matrix = np.array([[0.2, 0.4], [np.nan, 0.7]])
    parts = offset.parts(matrix, ["one", "other"])
    np.testing.assert_allclose(sum(parts.values()) - 0.3, offset.values(matrix, ["one", "other"]))
    assert parts["one"][1] == pytest.approx(0.5 * np.log(1 / 9))


def test_offset_is_read_as_it_was_written_and_from_an_older_model() -> None:
    offset = Offset({"one": 0.5}, -0.3, 0.1)
    assert Offset.from_dict(offset.to_dict()) == offset
    assert Offset.from_dict({"feature": "one", "fallback": 0.1}) == Offset.at("one", 0.1)
    assert Offset.from_dict({"feature": None, "fallback": 0.1}) == Offset.at(None, 0.1)
