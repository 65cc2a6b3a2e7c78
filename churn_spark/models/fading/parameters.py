"""What is fitted: seven numbers, as they are meant and as a vector without bounds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.special import expit

from churn_spark.arrays import Floats

_GRID: Final = np.linspace(-2.6, 2.6, 11)
_LOG_WEIGHTS: Final = -0.5 * _GRID**2 - np.log(np.exp(-0.5 * _GRID**2).sum())
_SD_LOG_ODDS_FADING: Final = 0.25
NAMES: Final = (
    "onset", "recovery", "slowing",
    "cancel_content", "cancel_fading", "mean_log_pause", "sd_log_pause",
)  # fmt: skip
"""The order of the vector."""


@dataclass(frozen=True)
class Parameters:
    """How users begin to fade, how that shows, and where it leads.

    Attributes:
        onset: chance a day that a content user begins to fade.
        recovery: chance a day that a fading one becomes content again.
        slowing: pauses of who fades over those of the same user when content, above 1.
        cancel_content: chance to cancel on a mean day of the billing cycle while content.
        cancel_fading: the same while fading, above it: a state of who comes more rarely and cancels
            less is no fading, and where half of the users leave without warning, of which those
            who come most often are the most, the likelihood would rather have that one.
        mean_log_pause: mean over users of the log of their mean pause when content, in days.
        sd_log_pause: its standard deviation.
    """

    onset: float
    recovery: float
    slowing: float
    cancel_content: float
    cancel_fading: float
    mean_log_pause: float
    sd_log_pause: float

    @property
    def fading_at_start(self) -> float:
        """Share of those already fading where the log begins, on no special day.

        As many begin to fade as stop it. Left free, it is what a short log tells least of: a
        change that all users share, such as a season's, turns most of them into fading ones.
        """
        return self.onset / (self.onset + self.recovery + self.cancel_fading)

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
        onset, recovery = expit(vector[:2]).tolist()
        content, more = np.exp(vector[3:5]).tolist()
        return cls(
            onset=onset,
            recovery=recovery,
            slowing=1.0 + float(np.exp(vector[2])),
            cancel_content=content,
            cancel_fading=content + more,
            mean_log_pause=float(vector[5]),
            sd_log_pause=float(np.exp(vector[6])),
        )


def grid() -> tuple[Floats, Floats]:
    """Standard normal deviates and the log of their weights, each of shape (grid points,)."""
    return _GRID, _LOG_WEIGHTS


@dataclass(frozen=True)
class WeakPrior:
    """Normal distributions of the vector: they keep what a short log can't tell within reason.

    One more, a narrow one, is of the log-odds of the share of users who are fading. The likelihood
    alone takes all that the model doesn't know of pauses, and there are fifty of them to a
    cancellation, for half of the users fading for months.

    Attributes:
        mean: shape (7,).
        sd: shape (7,).
        log_odds_fading: where the narrow one lies.
    """

    mean: Floats
    sd: Floats
    log_odds_fading: float

    @classmethod
    def around(cls, cancels_a_day: float, mean_pause: float, log_odds_fading: float) -> WeakPrior:
        """Wide around what the log itself has, but for the share of users who are fading.

        Args:
            cancels_a_day: share of users who cancel on a day.
            mean_pause: days from visit to visit, over all of them.
            log_odds_fading: of that share.
        """
        cancels, pause = np.log(cancels_a_day), np.log(mean_pause)
        mean = np.array([-5.0, -3.5, 0.0, cancels - 1.5, cancels + 1.5, pause, -0.3])
        sd = np.array([1.0, 1.0, 0.7, 1.5, 1.5, 1.0, 0.5])
        return cls(mean, sd, log_odds_fading)

    def log_density(self, vector: Floats) -> float:
        """Up to a constant."""
        share, _ = fading_log_odds(vector)
        of_share = ((share - self.log_odds_fading) / _SD_LOG_ODDS_FADING) ** 2
        return float(-0.5 * ((((vector - self.mean) / self.sd) ** 2).sum() + of_share))

    def slope(self, vector: Floats) -> Floats:
        """Of the log density, shape (7,)."""
        share, change = fading_log_odds(vector)
        of_share = (self.log_odds_fading - share) / _SD_LOG_ODDS_FADING**2 * change
        return np.asarray((self.mean - vector) / self.sd**2 + of_share)

    def curvature(self, vector: Floats) -> Floats:
        """Of the log density, turned positive, shape (7, 7)."""
        _, change = fading_log_odds(vector)
        of_share = np.outer(change, change) / _SD_LOG_ODDS_FADING**2
        return np.asarray(np.diag(1.0 / self.sd**2) + of_share)


def cancel_parts(parameters: Parameters) -> tuple[float, float]:
    """Shares of the chance to cancel while fading: what content users have, and what comes on top.

    They are the slopes of its log by the vector's two numbers for it.
    """
    content = parameters.cancel_content / parameters.cancel_fading
    return content, 1.0 - content


def fading_log_odds(vector: Floats) -> tuple[float, Floats]:
    """Log-odds of `Parameters.fading_at_start`, and their slopes by the vector, shape (7,)."""
    parameters = Parameters.of_vector(vector)
    onset, recovery = parameters.onset, parameters.recovery
    stops = recovery + parameters.cancel_fading
    content, more = cancel_parts(parameters)
    slopes = np.zeros(len(NAMES))
    slopes[NAMES.index("onset")] = 1.0 - onset
    slopes[NAMES.index("recovery")] = -recovery * (1.0 - recovery) / stops
    slopes[NAMES.index("cancel_content")] = -content * parameters.cancel_fading / stops
    slopes[NAMES.index("cancel_fading")] = -more * parameters.cancel_fading / stops
    return float(np.log(onset / stops)), slopes
