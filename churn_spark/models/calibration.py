"""From a model's margin to a probability that means what it says."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass

import numpy as np
from scipy.special import expit


@dataclass(frozen=True)
class Calibration:
    """A shift of the log-odds.

    Training with cancellations weighted w-fold multiplies the odds that the model learns by w.
    Taking log w off the margin undoes exactly that, without any data.

    Attributes:
        log_odds_shift: added to the margin before the logistic function.
    """

    log_odds_shift: float

    @staticmethod
    def undo_class_weight(weight: float) -> Calibration:
        """The calibration of a model that was trained with `scale_pos_weight = weight`."""
        return Calibration(-math.log(weight))

    def probabilities(self, margins: np.ndarray) -> np.ndarray:
        """Probabilities in (0, 1) of margins in log-odds, same shape."""
        return np.asarray(expit(margins + self.log_odds_shift), dtype=np.float64)

    def to_json(self) -> str:
        """The calibration as JSON text."""
        return json.dumps(asdict(self))

    @staticmethod
    def from_json(text: str) -> Calibration:
        """The calibration of a JSON text written by `to_json`."""
        return Calibration(**json.loads(text))
