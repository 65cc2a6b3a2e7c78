"""What the trees' output is added to: the log-odds of a feature that is itself a probability."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import logit

from churn_spark.arrays import Floats

MIN_PROBABILITY = 1e-6


@dataclass(frozen=True)
class Offset:
    """The logit of a feature, where the trees begin instead of at the base rate.

    Attributes:
        feature: name of a feature that is a probability.
        fallback: its value where it is unknown.
    """

    feature: str
    fallback: float

    def values(self, matrix: Floats, features: Sequence[str]) -> Floats:
        """Log-odds of each row.

        Args:
            matrix: encoded rows, shape (rows, features).
            features: names of its columns.

        Returns:
            Shape (rows,).
        """
        stated = matrix[:, list(features).index(self.feature)]
        known = np.where(np.isnan(stated), self.fallback, stated)
        return np.asarray(
            logit(np.clip(known, MIN_PROBABILITY, 1.0 - MIN_PROBABILITY)), dtype=np.float64
        )
