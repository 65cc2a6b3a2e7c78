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
    design, losses = _Design.of(learnt, encoding, offset), {}
    for reg_param in config.reg_params:
        chances = design.fit(reg_param, config).probabilities(held_out)
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
    return _Design.of(rows, encoding, offset).fit(reg_param, config)


@dataclass(frozen=True)
class _Design:
    """Rows as regressions see them, whatever their regularization.

    Attributes:
        encoding: of the features.
        typical: as in `LogisticRegression`.
        center: mean of each column that `_inputs` gives, shape (columns,).
        factor: one over its sample deviation, 0 of a column that never changes, shape (columns,).
        inputs: the columns in these units, and one of ones, shape (rows, columns + 1).
        labels: 0 or 1, shape (rows,).
        begin: log-odds that a regression adds to, shape (rows,).
        weights: how often each row counts, shape (rows,); none: once.
        offset: that gives `begin`; none: 0.
    """

    encoding: Encoding
    typical: Floats
    center: Floats
    factor: Floats
    inputs: Floats
    labels: Floats
    begin: Floats
    weights: Floats | None
    offset: Offset | None

    @classmethod
    def of(cls, rows: pd.DataFrame, encoding: Encoding, offset: Offset | None) -> _Design:
        """Of encoded rows with `label`, and `weight` where they don't count once each."""
        typical = _medians(rows, encoding)
        columns = _inputs(rows, encoding, typical)
        center, scale = columns.mean(axis=0), columns.std(axis=0, ddof=min(1, len(rows) - 1))
        # A column that never changes says nothing; its deviation may be rounded to more than 0.
        changes = np.ptp(columns, axis=0) > 0
        factor = np.divide(1.0, scale, out=np.zeros_like(scale), where=changes)
        inputs = np.ones((len(rows), len(center) + 1))
        np.subtract(columns, center, out=inputs[:, :-1])
        inputs[:, :-1] *= factor
        labels = rows["label"].to_numpy(dtype=np.float64)
        begin = np.zeros(len(rows)) if offset is None else _offsets(rows, offset)
        return cls(
            encoding, typical, center, factor, inputs, labels, begin, weights_in(rows), offset
        )

    def fit(self, reg_param: float, config: LogisticRegressionConfig) -> LogisticRegression:
        """The regression with the least regularized loss on these rows."""
        if self.labels.min() == self.labels.max():
            # Nothing to tell apart: everybody has the one outcome.
            nothing = np.zeros(len(self.center))
            chance = float(logit(self.labels.mean()))
            return LogisticRegression(self.encoding, self.typical, nothing, chance)
        slopes, at_center = self._minimize(reg_param, config.max_iter)
        coefficients = slopes * self.factor
        intercept = float(at_center - self.center @ coefficients)
        return LogisticRegression(self.encoding, self.typical, coefficients, intercept, self.offset)

    def _minimize(self, reg_param: float, max_steps: int) -> tuple[Floats, float]:
        """The slopes and the intercept of the least regularized loss, by Newton's method."""
        inputs, labels, weights = self.inputs, self.labels, self.weights
        n, signs = len(labels), 1.0 - 2.0 * labels
        penalty = np.append(np.full(len(self.center), reg_param), 0.0)

        def loss(at: Floats) -> tuple[float, Floats]:
            margins = inputs @ at + self.begin
            nats = np.average(np.logaddexp(0.0, signs * margins), weights=weights)
            missing = by_weight(expit(margins) - labels, weights)
            return float(nats + penalty @ at**2 / 2), inputs.T @ missing / n + penalty * at

        def curvature(at: Floats) -> Floats:
            chances = expit(inputs @ at + self.begin)
            roots = np.sqrt(by_weight(chances * (1.0 - chances), weights))
            # A matrix times itself takes half of what a product of two takes.
            weighted = inputs * roots[:, None]
            return np.asarray(weighted.T @ weighted / n + np.diag(penalty))

        start = np.append(
            np.zeros(len(self.center)),
            logit(np.average(labels, weights=weights)) - self.begin.mean(),
        )
        found = minimize(
            loss,
            start,
            jac=True,
            hess=curvature,
            method="trust-exact",
            options={"gtol": _TOLERANCE, "maxiter": max_steps},
        ).x
        return found[:-1], float(found[-1])


def compress(values: Floats) -> Floats:
    """The sign and the logarithm of one plus the size of every number."""
    return np.asarray(np.sign(values) * np.log1p(np.abs(values)))


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
