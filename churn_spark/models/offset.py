"""Where trees begin: at the log-odds of a feature that is a probability, or at a constant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import logit

from churn_spark.arrays import Floats

MIN_PROBABILITY = 1e-6


@dataclass(frozen=True)
class Offset:
    """The log-odds where the trees begin.

    Attributes:
        feature: name of a feature that is a probability; none: all rows begin at the fallback.
        fallback: the probability where the feature is unknown, the base rate.
    """

    feature: str | None
    fallback: float

    def values(self, matrix: Floats, features: Sequence[str]) -> Floats:
        """Log-odds of each row.

        Args:
            matrix: encoded rows, shape (rows, features).
            features: names of its columns.

        Returns:
            Shape (rows,).
        """
        if self.feature is None:
            return log_odds(np.full(len(matrix), self.fallback))
        stated = matrix[:, list(features).index(self.feature)]
        return log_odds(np.where(np.isnan(stated), self.fallback, stated))

    def value_of(self, row: Mapping[str, Any]) -> float:
        """Log-odds of one row, given as feature -> value; absent and null are unknown."""
        stated = None if self.feature is None else row.get(self.feature)
        known = self.fallback if stated is None or np.isnan(stated) else stated
        return float(log_odds(np.array([known]))[0])


def log_odds(probabilities: Floats) -> Floats:
    """The log-odds of probabilities, finite also of 0 and 1."""
    inside = np.clip(probabilities, MIN_PROBABILITY, 1.0 - MIN_PROBABILITY)
    return np.asarray(logit(inside), dtype=np.float64)
