"""The baseline: logistic regression on the logarithms of the features, fitted in this process."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.optimize import minimize
from scipy.special import expit, logit

from churn_spark.arrays import Floats
from churn_spark.config import LogisticRegressionConfig
from churn_spark.models.encoding import Encoding

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
    """

    encoding: Encoding
    typical: Floats
    coefficients: Floats
    intercept: float

    def probabilities(self, rows: pd.DataFrame) -> Floats:
        """The chance to cancel of encoded rows."""
        margins = _inputs(rows, self.encoding, self.typical) @ self.coefficients + self.intercept
        return np.asarray(expit(margins), dtype=np.float64)


def fit_logistic_regression(
    rows: pd.DataFrame, encoding: Encoding, config: LogisticRegressionConfig
) -> LogisticRegression:
    """Fit the baseline: medians for missing numbers, one column a level, unit variance.

    Counts are long-tailed, so every number enters as its logarithm, signed; see `compress`.
    The coefficients w, of columns divided by their sample standard deviation, and the intercept
    minimize the mean log loss in nats plus `reg_param` / 2 * |w|^2; the intercept is free. That
    is the objective of Spark's LogisticRegression behind its StandardScaler.

    Args:
        rows: encoded features and `label`.
        encoding: of the features.
        config: how much to regularize, and the most steps.
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
    slopes, at_center = _minimize((matrix - center) * factor, labels, config)
    coefficients = slopes * factor
    return LogisticRegression(
        encoding, typical, coefficients, float(at_center - center @ coefficients)
    )


def compress(values: Floats) -> Floats:
    """The sign and the logarithm of one plus the size of every number."""
    return np.asarray(np.sign(values) * np.log1p(np.abs(values)))


def _minimize(
    matrix: Floats, labels: Floats, config: LogisticRegressionConfig
) -> tuple[Floats, float]:
    """The slopes and the intercept of the least regularized loss, by Newton's method."""
    n, inputs = len(labels), np.column_stack([matrix, np.ones(len(labels))])
    signs = 1.0 - 2.0 * labels
    penalty = np.append(np.full(matrix.shape[1], config.reg_param), 0.0)

    def loss(weights: Floats) -> tuple[float, Floats]:
        margins = inputs @ weights
        size = float(np.logaddexp(0.0, signs * margins).mean() + penalty @ weights**2 / 2)
        return size, inputs.T @ (expit(margins) - labels) / n + penalty * weights

    def curvature(weights: Floats) -> Floats:
        chances = expit(inputs @ weights)
        weighted = inputs * (chances * (1.0 - chances))[:, None]
        return np.asarray(inputs.T @ weighted / n + np.diag(penalty))

    start = np.append(np.zeros(matrix.shape[1]), logit(labels.mean()))
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
    """The columns of the regression: all numbers, then the levels of each category."""
    numbers = compress(rows[_numbers(encoding)].to_numpy(dtype=np.float64))
    columns = [np.where(np.isnan(numbers), typical, numbers)]
    for name in encoding.categorical:
        codes = rows[name].to_numpy(dtype=np.float64)
        columns.append((codes[:, None] == np.arange(len(encoding.levels[name]) + 1)).astype(float))
    return np.hstack(columns)


def _numbers(encoding: Encoding) -> list[str]:
    return [name for name in encoding.features if name not in encoding.levels]
