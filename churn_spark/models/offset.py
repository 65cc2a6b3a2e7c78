"""Where trees begin: at what the log-odds of some features, weighed and added up, already say."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
from scipy.optimize import minimize
from scipy.special import expit, logit

from churn_spark.arrays import Floats
from churn_spark.evaluation.treated import weights_in
from churn_spark.evaluation.weights import by_weight, n_counted

MIN_PROBABILITY: Final = 1e-6
_SD_SLOPE: Final = 1.0
_TOLERANCE: Final = 1e-8


@dataclass(frozen=True)
class Offset:
    """The log-odds where the trees begin.

    Attributes:
        slopes: feature that is a probability -> what its log-odds are multiplied by; none: all
            rows begin at the intercept.
        intercept: log-odds that all rows have.
        fallback: the probability where a feature is unknown, the base rate.
    """

    slopes: Mapping[str, float]
    intercept: float
    fallback: float

    @classmethod
    def at(cls, feature: str | None, fallback: float) -> Offset:
        """The log-odds of one feature as they are; without one, those of the base rate."""
        if feature is None:
            return cls({}, float(log_odds(np.array([fallback]))[0]), fallback)
        return cls({feature: 1.0}, 0.0, fallback)

    def values(self, matrix: Floats, features: Sequence[str]) -> Floats:
        """Log-odds of each row.

        Args:
            matrix: encoded rows, shape (rows, features).
            features: names of its columns.

        Returns:
            Shape (rows,).
        """
        start = np.full(len(matrix), self.intercept)
        return np.asarray(sum(self.parts(matrix, features).values(), start))

    def parts(self, matrix: Floats, features: Sequence[str]) -> dict[str, Floats]:
        """What each feature adds to the intercept, in log-odds, each of shape (rows,)."""
        return {
            name: slope * self._log_odds_of(matrix[:, list(features).index(name)])
            for name, slope in self.slopes.items()
        }

    def parts_of(self, row: Mapping[str, Any]) -> dict[str, float]:
        """The same of one row, given as feature -> value; absent and null are unknown."""
        return {name: slope * self._of_one(row.get(name)) for name, slope in self.slopes.items()}

    def value_of(self, row: Mapping[str, Any]) -> float:
        """Log-odds of one row, given as feature -> value; absent and null are unknown."""
        return sum(self.parts_of(row).values(), self.intercept)

    def _of_one(self, stated: float | None) -> float:
        known = self.fallback if stated is None or math.isnan(stated) else stated
        inside = min(max(known, MIN_PROBABILITY), 1.0 - MIN_PROBABILITY)
        return float(logit(inside))

    def _log_odds_of(self, stated: Floats) -> Floats:
        return log_odds(np.where(np.isnan(stated), self.fallback, stated))

    def to_dict(self) -> dict[str, Any]:
        """Everything about it, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> Offset:
        """What `to_dict` has given; of an older model with one feature, too."""
        if "feature" in found:
            return cls.at(found["feature"], found["fallback"])
        return cls(**found)


def fit_offset(rows: pd.DataFrame, features: Collection[str], fallback: float) -> Offset:
    """The slopes and the intercept that make the labels most likely, no slope below 0.

    A forecast with a negative slope says nothing that the others don't say better: it is left out
    and the others are fitted again. So no log needs to be told which of its forecasts holds. Slopes
    have a normal prior around 0 with a standard deviation of 1: some dozens of cancellations, which
    is what few users have, would give a forecast that hardly varies a slope of 5 (docs/adr/0063).

    Args:
        rows: encoded, with `label`; each counts as often as its `weight` says, if there is one.
        features: that are probabilities.
        fallback: the probability where one is unknown.
    """
    kept, unit = list(features), Offset(dict.fromkeys(features, 1.0), 0.0, fallback)
    matrix, labels = rows[kept].to_numpy(dtype=np.float64), rows["label"].to_numpy(dtype=np.float64)
    columns, weights = unit.parts(matrix, kept), weights_in(rows)
    while kept:
        inputs = np.column_stack([columns[name] for name in kept])
        slopes, intercept = _fit_logistic(inputs, labels, weights)
        if slopes.min() >= 0.0:
            found = dict(zip(kept, slopes.tolist(), strict=True))
            return Offset(found, intercept, fallback)
        del kept[int(slopes.argmin())]
    return Offset.at(None, fallback)


def log_odds(probabilities: Floats) -> Floats:
    """Of probabilities; those of none and of certainty are finite."""
    inside = np.clip(probabilities, MIN_PROBABILITY, 1.0 - MIN_PROBABILITY)
    return np.asarray(logit(inside), dtype=np.float64)


def _fit_logistic(columns: Floats, labels: Floats, weights: Floats | None) -> tuple[Floats, float]:
    """Slopes and intercept of the least mean log loss; the prior of the slopes counted in."""
    inputs = np.column_stack([columns, np.ones(len(labels))])
    of_prior = 1.0 / (_SD_SLOPE**2 * n_counted(len(labels), weights))
    signs, shrink = 1.0 - 2.0 * labels, np.append(np.full(columns.shape[1], of_prior), 0.0)

    def loss(at: Floats) -> tuple[float, Floats]:
        margins = inputs @ at
        nats = np.average(np.logaddexp(0.0, signs * margins), weights=weights)
        missing = by_weight(expit(margins) - labels, weights)
        return (
            float(nats + shrink @ at**2 / 2.0),
            inputs.T @ missing / len(labels) + shrink * at,
        )

    start = np.append(np.full(columns.shape[1], 1.0 / columns.shape[1]), 0.0)
    found = minimize(loss, start, jac=True, method="BFGS", options={"gtol": _TOLERANCE}).x
    return found[:-1], float(found[-1])
