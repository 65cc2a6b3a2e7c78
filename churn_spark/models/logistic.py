"""The baseline: logistic regression on the logarithms of the features, fitted in this process.

What is a phase rather than an amount, days to the next bill, has a column for each day: cancels
come around bills, and no logarithm rises and falls.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.optimize import minimize
from scipy.special import expit, logit

from churn_spark.arrays import Floats
from churn_spark.config import LogisticRegressionConfig
from churn_spark.contracts.features.spec import named
from churn_spark.evaluation.metrics import row_log_losses
from churn_spark.evaluation.treated import weights_in
from churn_spark.evaluation.weights import by_weight
from churn_spark.models.encoding import Encoding
from churn_spark.models.offset import Offset

# Largest slope of the objective at the end: probabilities are then right to far more than 1e-6.
_TOLERANCE = 1e-9


@dataclass(frozen=True)
class LogisticRegression:
    """A fitted logistic regression and how its inputs are made of encoded features.

    Attributes:
        encoding: of the features.
        typical: median of each number after `compress`, for missing ones, shape (numbers,).
        coefficients: of the columns that `_inputs` gives, shape (columns,).
        intercept: log-odds where all columns are 0.
        offset: log-odds that these are added to; none: 0.
    """

    encoding: Encoding
    typical: Floats
    coefficients: Floats
    intercept: float
    offset: Offset | None = None

    def probabilities(self, rows: pd.DataFrame) -> Floats:
        """The chance to cancel of encoded rows."""
        margins = _inputs(rows, self.encoding, self.typical) @ self.coefficients + self.intercept
        if self.offset is not None:
            margins = margins + _offsets(rows, self.offset)
        return np.asarray(expit(margins), dtype=np.float64)


def choose_reg_param(
    learnt: pd.DataFrame,
    held_out: pd.DataFrame,
    encoding: Encoding,
    config: LogisticRegressionConfig,
    offset: Offset | None = None,
) -> float:
    """The regularization with the least mean log loss on users that the fits haven't seen.

    Args:
        learnt: encoded features and `label`, and `weight` where rows don't count once each.
        held_out: the same of other users; where they are none the strongest is chosen.
        encoding: of the features.
        config: which to choose from.
        offset: where the regressions begin.
    """
    if held_out.empty:
        return max(config.reg_params)
    losses = {}
    for reg_param in config.reg_params:
        model = fit_logistic_regression(learnt, encoding, config, reg_param, offset)
        chances = model.probabilities(held_out)
        of_rows = row_log_losses(held_out["label"].to_numpy(), chances)
        losses[reg_param] = np.average(of_rows, weights=weights_in(held_out))
    return min(losses, key=losses.__getitem__)


def fit_logistic_regression(
    rows: pd.DataFrame,
    encoding: Encoding,
    config: LogisticRegressionConfig,
    reg_param: float,
    offset: Offset | None = None,
) -> LogisticRegression:
    """Fit the baseline: medians for missing numbers, one column a level, unit variance.

    Counts are long-tailed, so every number enters as its logarithm, signed; see `compress`.
    The coefficients w, of columns divided by their sample standard deviation, and the intercept
    minimize the mean log loss in nats plus `reg_param` / 2 * |w|^2; the intercept is free. That
    is the objective of Spark's LogisticRegression behind its StandardScaler.

    Args:
        rows: encoded features and `label`; each counts as often as its `weight` says, if there
            is one.
        encoding: of the features.
        config: the most steps.
        reg_param: how much to regularize.
        offset: log-odds that the regression adds to, of columns of the rows; none: 0.
    """
    labels = rows["label"].to_numpy(dtype=np.float64)
    typical = _medians(rows, encoding)
    matrix = _inputs(rows, encoding, typical)
    if labels.min() == labels.max():
        # Nothing to tell apart: everybody has the one outcome.
        nothing = np.zeros(matrix.shape[1])
        return LogisticRegression(encoding, typical, nothing, float(logit(labels.mean())))
    center, scale = matrix.mean(axis=0), matrix.std(axis=0, ddof=1)
    # A column that never changes says nothing; its deviation may be rounded to more than 0.
    changes = np.ptp(matrix, axis=0) > 0
    factor = np.divide(1.0, scale, out=np.zeros_like(scale), where=changes)
    begin = np.zeros(len(rows)) if offset is None else _offsets(rows, offset)
    penalty = np.append(np.full(matrix.shape[1], reg_param), 0.0)
    weights = weights_in(rows)
    scaled = (matrix - center) * factor
    slopes, at_center = _minimize(scaled, labels, begin, penalty, config, weights)
    coefficients = slopes * factor
    return LogisticRegression(
        encoding, typical, coefficients, float(at_center - center @ coefficients), offset
    )


def compress(values: Floats) -> Floats:
    """The sign and the logarithm of one plus the size of every number."""
    return np.asarray(np.sign(values) * np.log1p(np.abs(values)))


def _minimize(
    matrix: Floats,
    labels: Floats,
    begin: Floats,
    penalty: Floats,
    config: LogisticRegressionConfig,
    weights: Floats | None,
) -> tuple[Floats, float]:
    """The slopes and the intercept of the least regularized loss, by Newton's method.

    Args:
        matrix: shape (rows, columns).
        labels: 0 or 1, shape (rows,).
        begin: log-odds that the regression adds to, shape (rows,).
        penalty: of the slopes and the intercept, shape (columns + 1,).
        config: the most steps.
        weights: how often each row counts, shape (rows,); none: once.
    """
    n, inputs = len(labels), np.column_stack([matrix, np.ones(len(labels))])
    signs = 1.0 - 2.0 * labels

    def loss(at: Floats) -> tuple[float, Floats]:
        margins = inputs @ at + begin
        nats = np.average(np.logaddexp(0.0, signs * margins), weights=weights)
        missing = by_weight(expit(margins) - labels, weights)
        return float(nats + penalty @ at**2 / 2), inputs.T @ missing / n + penalty * at

    def curvature(at: Floats) -> Floats:
        chances = expit(inputs @ at + begin)
        weighted = inputs * by_weight(chances * (1.0 - chances), weights)[:, None]
        return np.asarray(inputs.T @ weighted / n + np.diag(penalty))

    rate = np.average(labels, weights=weights)
    start = np.append(np.zeros(matrix.shape[1]), logit(rate) - begin.mean())
    found = minimize(
        loss,
        start,
        jac=True,
        hess=curvature,
        method="trust-exact",
        options={"gtol": _TOLERANCE, "maxiter": config.max_iter},
    ).x
    return found[:-1], float(found[-1])


def _medians(rows: pd.DataFrame, encoding: Encoding) -> Floats:
    """The lower median of each number that is known; 0 where none is."""
    found = []
    for name in _numbers(encoding):
        known = rows[name].dropna().to_numpy(dtype=np.float64)
        middle = (len(known) - 1) // 2
        found.append(np.partition(known, middle)[middle] if len(known) else 0.0)
    return compress(np.array(found))


def _inputs(rows: pd.DataFrame, encoding: Encoding, typical: Floats) -> Floats:
    """The columns of the regression: all numbers, the levels of each category and phase."""
    numbers = compress(rows[_numbers(encoding)].to_numpy(dtype=np.float64))
    columns = [np.where(np.isnan(numbers), typical, numbers)]
    for name in encoding.categorical:
        codes = rows[name].to_numpy(dtype=np.float64)
        columns.append((codes[:, None] == np.arange(len(encoding.levels[name]) + 1)).astype(float))
    for feature in named(encoding.features):
        if feature.n_phases:
            phases = rows[feature.name].to_numpy(dtype=np.float64)
            columns.append((phases[:, None] == np.arange(feature.n_phases)).astype(float))
    return np.hstack(columns)


def _offsets(rows: pd.DataFrame, offset: Offset) -> Floats:
    names = list(offset.slopes)
    return offset.values(rows[names].to_numpy(dtype=np.float64), names)


def _numbers(encoding: Encoding) -> list[str]:
    return [name for name in encoding.features if name not in encoding.levels]
