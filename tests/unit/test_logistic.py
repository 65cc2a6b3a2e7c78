"""The baseline's logistic regression, beside scikit-learn's on inputs made by hand."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from model_builders import ENCODING, planted_rows
from scipy.special import logit
from sklearn.linear_model import LogisticRegression as Sklearn
from sklearn.metrics import log_loss

from churn_spark.config import LogisticRegressionConfig
from churn_spark.models.encoding import Encoding
from churn_spark.models.logistic import choose_reg_param, fit_logistic_regression
from churn_spark.models.offset import Offset

CONFIG = LogisticRegressionConfig(reg_params=(0.01, 0.1), max_iter=50, start_from_forecasts=False)
REG_PARAM = 0.01


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
    weight = 1 / (len(learnt) * REG_PARAM)
    theirs = Sklearn(C=weight, tol=1e-12, max_iter=10_000)
    theirs.fit(make_inputs(learnt, learnt), learnt["label"])
    expected = theirs.predict_proba(make_inputs(unseen, learnt))[:, 1]
    ours = fit_logistic_regression(learnt, ENCODING, CONFIG, REG_PARAM)
    np.testing.assert_allclose(ours.probabilities(unseen), expected, rtol=0, atol=1e-6)


def test_mean_probability_is_the_share_that_cancels() -> None:
    learnt = planted_rows()
    found = fit_logistic_regression(learnt, ENCODING, CONFIG, REG_PARAM).probabilities(learnt)
    assert found.mean() == pytest.approx(learnt["label"].mean(), abs=1e-9)


def test_level_that_was_not_learnt_counts_as_none() -> None:
    learnt = planted_rows()
    learnt = learnt[learnt["place"] != 40]
    model = fit_logistic_regression(learnt, ENCODING, CONFIG, REG_PARAM)
    assert model.coefficients[-1] == 0.0


@pytest.mark.parametrize(("label", "chance"), [(0, 0.0), (1, 1.0)])
def test_everybody_has_the_outcome_that_all_had(label: int, chance: float) -> None:
    learnt = planted_rows().assign(label=label)
    found = fit_logistic_regression(learnt, ENCODING, CONFIG, REG_PARAM).probabilities(learnt)
    assert set(found) == {chance}


def test_number_that_nobody_has_and_one_that_never_changes_say_nothing() -> None:
    learnt = planted_rows().assign(noise=math.nan, stated=0.5)
    numbers = Encoding(("signal", "noise", "stated"), {}, {}, "test")
    model = fit_logistic_regression(learnt, numbers, CONFIG, REG_PARAM)
    assert model.coefficients[1:].tolist() == [0.0, 0.0]
    assert np.isfinite(model.probabilities(learnt)).all()


def test_regularization_is_the_best_of_those_on_held_out_users() -> None:
    learnt, held_out = planted_rows()[:300], planted_rows(seed=2)
    config = CONFIG.model_copy(update={"reg_params": (0.0001, 0.05, 5.0)})
    losses = {}
    for reg_param in config.reg_params:
        model = fit_logistic_regression(learnt, ENCODING, config, reg_param)
        losses[reg_param] = log_loss(held_out["label"], model.probabilities(held_out))
    best = min(losses, key=losses.__getitem__)
    assert losses[best] < min(loss for reg, loss in losses.items() if reg != best) - 1e-4
    assert choose_reg_param(learnt, held_out, ENCODING, config) == best


def test_offset_is_where_the_regression_begins() -> None:
    learnt = planted_rows()
    begin = Offset({"stated": 0.7}, -0.2, 0.1)
    found = fit_logistic_regression(learnt, ENCODING, CONFIG, 1e6, begin)
    stated = begin.values(learnt[["stated"]].to_numpy(), ["stated"])
    apart = logit(found.probabilities(learnt)) - stated
    assert np.ptp(apart) == pytest.approx(0.0, abs=1e-3)
    assert found.probabilities(learnt).mean() == pytest.approx(learnt["label"].mean(), abs=1e-6)


def test_each_day_to_the_bill_has_a_weight_of_its_own() -> None:
    rng = np.random.default_rng(3)
    days = rng.integers(0, 30, 6000)
    labels = (rng.random(6000) < np.where(np.isin(days, (4, 5)), 0.5, 0.05)).astype(int)
    rows = pd.DataFrame({"days_to_billing": days.astype(float), "label": labels})
    encoding = Encoding(("days_to_billing",), {}, {}, "test")
    found = fit_logistic_regression(rows, encoding, CONFIG, 0.001).probabilities(rows)
    by_day = pd.Series(found).groupby(days).mean()
    assert by_day[[4, 5]].min() > 0.4
    assert by_day.drop([4, 5]).max() < 0.12
