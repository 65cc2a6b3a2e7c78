"""What is fitted: eight numbers, as they are meant and as a vector without bounds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.special import expit

from churn_spark.arrays import Floats

_GRID: Final = np.linspace(-2.6, 2.6, 11)
_LOG_WEIGHTS: Final = -0.5 * _GRID**2 - np.log(np.exp(-0.5 * _GRID**2).sum())
NAMES: Final = (
    "onset", "recovery", "fading_at_start", "slowing",
    "cancel_content", "cancel_fading", "mean_log_pause", "sd_log_pause",
)  # fmt: skip
"""The order of the vector."""


@dataclass(frozen=True)
class Parameters:
    """How users begin to fade, how that shows, and where it leads.

    Attributes:
        onset: chance a day that a content user begins to fade.
        recovery: chance a day that a fading one becomes content again.
        fading_at_start: share of those already fading where the log begins.
        slowing: pauses of who fades over those of the same user when content, above 1.
        cancel_content: chance to cancel on a mean day of the billing cycle while content.
        cancel_fading: the same while fading.
        mean_log_pause: mean over users of the log of their mean pause when content, in days.
        sd_log_pause: its standard deviation.
    """

    onset: float
    recovery: float
    fading_at_start: float
    slowing: float
    cancel_content: float
    cancel_fading: float
    mean_log_pause: float
    sd_log_pause: float

    @property
    def pauses(self) -> Floats:
        """Mean pauses in days that content users may have, shape (grid points,)."""
        return np.asarray(np.exp(self.mean_log_pause + self.sd_log_pause * _GRID))

    def cancel_chance(self, fading: Floats) -> Floats:
        """Chance to cancel on a mean day of the billing cycle, by the chance of being fading."""
        return self.cancel_content + fading * (self.cancel_fading - self.cancel_content)

    @classmethod
    def of_vector(cls, vector: Floats) -> Parameters:
        """The parameters of a vector, which may have any values."""
        onset, recovery, fading_at_start = expit(vector[:3]).tolist()
        return cls(
            onset=onset,
            recovery=recovery,
            fading_at_start=fading_at_start,
            slowing=1.0 + float(np.exp(vector[3])),
            cancel_content=float(np.exp(vector[4])),
            cancel_fading=float(np.exp(vector[5])),
            mean_log_pause=float(vector[6]),
            sd_log_pause=float(np.exp(vector[7])),
        )


def grid() -> tuple[Floats, Floats]:
    """Standard normal deviates and the log of their weights, each of shape (grid points,)."""
    return _GRID, _LOG_WEIGHTS


@dataclass(frozen=True)
class WeakPrior:
    """Normal distributions of the vector: they keep what a short log can't tell within reason.

    Attributes:
        mean: shape (8,).
        sd: shape (8,).
    """

    mean: Floats
    sd: Floats

    @classmethod
    def around(cls, cancels_a_day: float, mean_pause: float) -> WeakPrior:
        """Wide around what the log itself has.

        Args:
            cancels_a_day: share of users who cancel on a day.
            mean_pause: days from visit to visit, over all of them.
        """
        cancels, pause = np.log(cancels_a_day), np.log(mean_pause)
        mean = np.array([-5.0, -3.5, -2.0, 0.0, cancels - 1.5, cancels + 1.5, pause, -0.3])
        return cls(mean, np.array([1.0, 1.0, 1.0, 0.7, 1.5, 1.5, 1.0, 0.5]))

    def log_density(self, vector: Floats) -> float:
        """Up to a constant."""
        return float(-0.5 * (((vector - self.mean) / self.sd) ** 2).sum())

    def slope(self, vector: Floats) -> Floats:
        """Of the log density, shape (8,)."""
        return np.asarray((self.mean - vector) / self.sd**2)
