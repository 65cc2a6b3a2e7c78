"""From a probability to a risk band."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from churn_spark.config import ScoringConfig

Band = Literal["high", "medium", "low"]
BANDS: tuple[Band, ...] = ("high", "medium", "low")


@dataclass(frozen=True)
class BandLimits:
    """Probabilities from which on a band begins.

    Attributes:
        high: lowest probability of the band `high`.
        medium: lowest probability of the band `medium`; what is below is `low`.
    """

    high: float
    medium: float

    @staticmethod
    def of(base_rate: float, config: ScoringConfig) -> BandLimits:
        """Multiples of the share that cancels anyway."""
        return BandLimits(config.high_risk_lift * base_rate, config.medium_risk_lift * base_rate)

    def band(self, probability: float) -> Band:
        """`high`, `medium` or `low`."""
        if probability >= self.high:
            return "high"
        return "medium" if probability >= self.medium else "low"
