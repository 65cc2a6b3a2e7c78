"""From a model's margin to a probability that means what it says."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import expit


@dataclass(frozen=True)
class Calibration:
    """A shift of the log-odds.

    Training with cancellations weighted up inflates the odds. By how much depends on how far
    the trees got: the full weight only when they have converged, which early stopping prevents
    (LightGBM starts from the unweighted rate). So the shift is measured, not derived.

    Attributes:
        log_odds_shift: added to the margin before the logistic function.
    """

    log_odds_shift: float
    kind: str = "none"

    @staticmethod
    def match_base_rate(margins: NDArray[np.float64], labels: NDArray[np.float64]) -> Calibration:
        """The shift at which the mean probability equals the share of positive labels.

        Args:
            margins: of the rows that the model was fitted on, in log-odds.
            labels: 0 or 1, same shape, both classes present.

        Raises:
            ValueError: if only one class is present.
        """
        rate = float(np.mean(labels))
        if not 0 < rate < 1:
            raise ValueError(f"found a share of positive labels of {rate}, expected both classes")
        reach = float(np.abs(margins).max()) + abs(np.log(rate / (1 - rate))) + 1

        def excess(shift: float) -> float:
            return float(np.mean(expit(margins + shift))) - rate

        return Calibration(float(brentq(excess, -reach, reach, xtol=1e-12)))

    def probabilities(self, margins: NDArray[np.float64]) -> NDArray[np.float64]:
        """Probabilities of margins in log-odds, same shape; far out they round to 0 and 1."""
        return np.asarray(expit(margins + self.log_odds_shift), dtype=np.float64)

    def to_json(self) -> str:
        """The calibration as JSON text."""
        return json.dumps(asdict(self))

    @staticmethod
    def from_json(text: str) -> Calibration:
        """The calibration of a JSON text written by `to_json`."""
        return Calibration(**json.loads(text))


@dataclass(frozen=True)
class Chosen:
    calibration: Calibration
    reason: str


def choose_calibration(margins, labels, users, *, seed) -> Chosen:
    return Chosen(Calibration(0.0), "stand-in")
