"""From a model's margin to a calibrated probability."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Final, Literal, get_args

import numpy as np
from scipy.optimize import brentq, isotonic_regression, minimize
from scipy.special import expit, log_expit, logit

from churn_spark.arrays import Floats
from churn_spark.evaluation.weights import by_weight

Kind = Literal["none", "shift", "beta", "isotonic"]

KINDS: Final[tuple[Kind, ...]] = get_args(Kind)

# Beyond these log-odds a probability rounds to 1.
_CERTAIN: Final = 36.0
_LENGTHS: Final = {"none": 0, "shift": 1, "beta": 3}


@dataclass(frozen=True)
class Calibration:
    """A monotone map of the log-odds; each kind is more flexible than the one before.

    Training with cancellations weighted up inflates the odds. By how much depends on how far
    the trees got: the full weight only when they have converged, which early stopping prevents
    (LightGBM starts from the unweighted rate). So the map is measured, not derived.

    Attributes:
        kind: `none`; `shift` of the log-odds; `beta`, a ln p - b ln(1 - p) + c with a, b >= 0
            (Kull, Silva Filho and Flach 2017, "Beta calibration"); `isotonic`, straight between
            points. Beyond the outermost points the log-odds go on as the margin does: level
            ends would tie the users at the top, and cost the average precision .7 % at 2,000
            rows, without a better log loss.
        parameters: none; the shift; a, b, c; the points' margins and then their log-odds, both
            rising.
    """

    kind: Kind
    parameters: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        """Refuse parameters that aren't those of the kind."""
        if self.kind not in KINDS:
            raise ValueError(f"found calibration {self.kind!r}, expected one of {', '.join(KINDS)}")
        n = len(self.parameters)
        if n != _LENGTHS.get(self.kind, n) or (self.kind == "isotonic" and (n < 2 or n % 2)):
            raise ValueError(f"found {n} parameters of a {self.kind} calibration, expected others")

    @staticmethod
    def match_base_rate(
        margins: Floats, labels: Floats, weights: Floats | None = None
    ) -> Calibration:
        """The shift at which the mean probability equals the share of positive labels.

        It is also the maximum-likelihood shift.

        Args:
            margins: in log-odds, shape (rows,).
            labels: 0 or 1, same shape, both classes present.
            weights: how often each row counts, same shape; once by default.

        Raises:
            ValueError: if only one class is present.
        """
        rate = _share_of_positives(labels, weights)
        reach = float(np.abs(margins).max()) + abs(np.log(rate / (1 - rate))) + 1

        def excess(shift: float) -> float:
            return float(np.average(expit(margins + shift), weights=weights)) - rate

        return Calibration("shift", (float(brentq(excess, -reach, reach, xtol=1e-12)),))

    def probabilities(self, margins: Floats) -> Floats:
        """Probabilities of margins in log-odds, same shape.

        Far out they round to 0 and 1, those of an isotonic calibration never.
        """
        return np.asarray(expit(self._log_odds(np.asarray(margins, np.float64))), dtype=np.float64)

    def _log_odds(self, margins: Floats) -> Floats:
        match self.kind:
            case "none":
                return margins
            case "shift":
                return margins + self.parameters[0]
            case "beta":
                a, b, c = self.parameters
                return np.asarray(a * log_expit(margins) - b * log_expit(-margins) + c)
            case "isotonic":
                at, log_odds = np.split(np.array(self.parameters), 2)
                beyond = margins - np.clip(margins, at[0], at[-1])
                found = np.interp(margins, at, log_odds) + beyond
                return np.asarray(np.clip(found, -_CERTAIN, _CERTAIN))

    def to_json(self) -> str:
        """The calibration as JSON text; every number comes back as it was."""
        return json.dumps(asdict(self))

    @staticmethod
    def from_json(text: str) -> Calibration:
        """The calibration of a JSON text written by `to_json`.

        Raises:
            ValueError: if the kind is unknown or the parameters aren't those of the kind.
        """
        values = json.loads(text)
        return Calibration(values["kind"], tuple(values["parameters"]))


def fit_calibration(
    kind: Kind, margins: Floats, labels: Floats, weights: Floats | None = None
) -> Calibration:
    """The maximum-likelihood calibration of a kind.

    Args:
        kind: which.
        margins: in log-odds, finite, shape (rows,).
        labels: 0 or 1, same shape, both classes present.
        weights: how often each row counts, same shape; once by default.

    Raises:
        ValueError: if only one class is present.
    """
    match kind:
        case "none":
            return Calibration("none")
        case "shift":
            return Calibration.match_base_rate(margins, labels, weights)
        case "beta":
            return _fit_beta(margins, labels, weights)
        case "isotonic":
            return _fit_isotonic(margins, labels, weights)


def _fit_beta(margins: Floats, labels: Floats, weights: Floats | None) -> Calibration:
    """Logistic regression on ln p and -ln(1 - p) with slopes of at least 0.

    A prior of standard deviation 1 around the slopes 1 and 1, the shift, weighs as much as a
    handful of cancels. It decides what the rows can't: b where all probabilities are small, and
    the slope where the classes are separated.
    """
    start = Calibration.match_base_rate(margins, labels, weights).parameters[0]
    columns = np.column_stack([log_expit(margins), -log_expit(-margins), np.ones(len(margins))])

    def loss(parameters: Floats) -> tuple[float, Floats]:
        log_odds = columns @ parameters
        away = np.array([parameters[0] - 1, parameters[1] - 1, 0.0])
        of_rows = by_weight(log_expit(np.where(labels == 1, log_odds, -log_odds)), weights)
        nats = -np.sum(of_rows)
        gradient = by_weight(expit(log_odds) - labels, weights) @ columns + away
        return float(nats + away @ away / 2) / len(labels), gradient / len(labels)

    found = minimize(
        loss,
        np.array([1.0, 1.0, start]),
        jac=True,
        method="L-BFGS-B",
        bounds=[(0, None), (0, None), (None, None)],
        options={"ftol": 1e-14, "gtol": 1e-9, "maxiter": 1000},
    )
    a, b, c = (float(parameter) for parameter in found.x)
    return Calibration("beta", (a, b, c))


def _fit_isotonic(margins: Floats, labels: Floats, weights: Floats | None) -> Calibration:
    """Blocks of rising shares of positives; a point at each block's mean margin.

    Each block counts one row more, of the base rate: no share is 0 or 1. Blocks that this puts
    out of order are pooled again. Where only one block is left, the map is a shift.
    """
    rate = _share_of_positives(labels, weights)
    at, place = np.unique(margins, return_inverse=True)
    counts = np.bincount(place, weights=by_weight(np.ones(len(labels)), weights))
    shares = np.bincount(place, weights=by_weight(labels, weights)) / counts
    at, shares, n = _pool(at, shares, counts.astype(np.float64))
    at, shares, _ = _pool(at, (shares * n + rate) / (n + 1), n + 1)
    return Calibration("isotonic", (*at.tolist(), *logit(shares).tolist()))


def _pool(at: Floats, shares: Floats, n: Floats) -> tuple[Floats, Floats, Floats]:
    """Blocks of rising shares (pool adjacent violators): mean margin, share and rows of each."""
    found = isotonic_regression(shares, weights=n)
    # The last block's bound is the end; equal neighbours are one block.
    starts = np.flatnonzero(np.append(True, np.diff(found.x) > 0))
    rows = np.add.reduceat(n, starts)
    return np.add.reduceat(at * n, starts) / rows, found.x[starts], rows


def _share_of_positives(labels: Floats, weights: Floats | None) -> float:
    rate = float(np.average(labels, weights=weights))
    if not 0 < rate < 1:
        raise ValueError(f"found a share of positive labels of {rate}, expected both classes")
    return rate
