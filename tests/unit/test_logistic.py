"""The baseline's logistic regression, beside scikit-learn's on inputs made by hand."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from model_builders import ENCODING, planted_rows
from sklearn.linear_model import LogisticRegression as Sklearn

from churn_spark.config import LogisticRegressionConfig
from churn_spark.models.encoding import Encoding
from churn_spark.models.logistic import fit_logistic_regression

CONFIG = LogisticRegressionConfig(reg_param=0.01, max_iter=50)


def make_inputs(rows: pd.DataFrame, learnt: pd.DataFrame) -> np.ndarray:
    """Columns of unit variance: logarithms with medians for missing ones, then the levels."""

    def compressed(frame: pd.DataFrame) -> pd.DataFrame:
        numbers = frame[["signal", "noise", "stated"]]
        return np.sign(numbers) * np.log1p(numbers.abs())

    known = compressed(learnt)
    medians = known.quantile(0.5, interpolation="lower")

    def columns(frame: pd.DataFrame) -> pd.DataFrame:
        levels = {f"place {code}": frame["place"] == code for code in range(41)}
        return compressed(frame).fillna(medians).assign(**levels).astype(float)

    return (columns(rows) / columns(learnt).std(ddof=1)).to_numpy()


def test_probabilities_equal_those_of_scikit_learn() -> None:
    learnt, unseen = planted_rows(), planted_rows(seed=2)
    weight = 1 / (len(learnt) * CONFIG.reg_param)
    theirs = Sklearn(C=weight, tol=1e-12, max_iter=10_000)
    theirs.fit(make_inputs(learnt, learnt), learnt["label"])
    expected = theirs.predict_proba(make_inputs(unseen, learnt))[:, 1]
    ours = fit_logistic_regression(learnt, ENCODING, CONFIG)
    np.testing.assert_allclose(ours.probabilities(unseen), expected, rtol=0, atol=1e-6)


def test_mean_probability_is_the_share_that_cancels() -> None:
    learnt = planted_rows()
    found = fit_logistic_regression(learnt, ENCODING, CONFIG).probabilities(learnt)
    assert found.mean() == pytest.approx(learnt["label"].mean(), abs=1e-9)


def test_level_that_was_not_learnt_counts_as_none() -> None:
    learnt = planted_rows()
    learnt = learnt[learnt["place"] != 40]
    model = fit_logistic_regression(learnt, ENCODING, CONFIG)
    assert model.coefficients[-1] == 0.0


@pytest.mark.parametrize(("label", "chance"), [(0, 0.0), (1, 1.0)])
def test_everybody_has_the_outcome_that_all_had(label: int, chance: float) -> None:
    learnt = planted_rows().assign(label=label)
    found = fit_logistic_regression(learnt, ENCODING, CONFIG).probabilities(learnt)
    assert set(found) == {chance}


def test_number_that_nobody_has_and_one_that_never_changes_say_nothing() -> None:
    learnt = planted_rows().assign(noise=math.nan, stated=0.5)
    numbers = Encoding(("signal", "noise", "stated"), {}, {}, "test")
    model = fit_logistic_regression(learnt, numbers, CONFIG)
    assert model.coefficients[1:].tolist() == [0.0, 0.0]
    assert np.isfinite(model.probabilities(learnt)).all()
