"""What happened after earlier dates, beside what curves expected, day by day of the curve.

Each stretch between two days of the curve has the users who cancelled in it, and the cancels that
the curves expected of those who were watched. It tells how far a log could check them, and mends
nothing: see docs/adr/0062.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from scipy.stats import chi2

from churn_spark.arrays import Floats
from churn_spark.models.survival.curves import Curves

ENOUGH_CANCELS: Final = 20.0
"""Cancels of a stretch from which on it counts as held against what happened."""


@dataclass(frozen=True)
class CheckedCurves:
    """Curves held against what happened.

    Attributes:
        days: ends of the stretches, shape (days,).
        cancels: users who cancelled in it and were watched, shape (days,); of equal weight.
        expected: cancels that the curves expected of the users watched, shape (days,).
    """

    days: Floats
    cancels: Floats
    expected: Floats

    @property
    def measured_days(self) -> int:
        """Up to here every stretch was held against what happened; 0: none."""
        is_known = np.append(self.cancels >= ENOUGH_CANCELS, False)
        return int(np.append(0.0, self.days)[int(np.argmin(is_known))])

    def up_to(self, day: float) -> tuple[float, float]:
        """Cancels up to the end of a stretch, and those that were expected."""
        is_in = self.days <= day
        return float(self.cancels[is_in].sum()), float(self.expected[is_in].sum())

    def factors(self, day: float) -> tuple[float, float] | None:
        """What a cumulative hazard up to a day may have to be multiplied by, from and to.

        The 95 % interval of happened over expected, the former taken for a Poisson count (Garwood,
        Biometrika 28, 1936), widened to 1 where that leaves it out: a curve that was wrong has an
        interval on the side of what happened. None where it wasn't held against anything.

        Args:
            day: end of a stretch.
        """
        happened, expected = self.up_to(day)
        if not day <= self.measured_days or not expected > 0:
            return None
        low, high = chi2.ppf(0.025, 2 * happened) / 2, chi2.ppf(0.975, 2 * happened + 2) / 2
        return min(float(low) / expected, 1.0), max(float(high) / expected, 1.0)

    def to_dict(self) -> dict[str, Any]:
        """Everything about it, for JSON."""
        return {name: values.tolist() for name, values in asdict(self).items()}

    @classmethod
    def from_dict(cls, found: dict[str, Any]) -> CheckedCurves:
        """What `to_dict` has given."""
        return cls(**{name: np.array(values, dtype=np.float64) for name, values in found.items()})


def check_curves(
    curves: Curves,
    cancelled: Floats,
    watched: Floats,
    counts: Floats,
    weights: Floats | None = None,
) -> CheckedCurves:
    """Cancels and expected cancels of each stretch, from rows of earlier dates.

    The rows must be of users that the curves have not learnt from: those of others are drawn to
    what happened within the window, so that too few of them are left to cancel after it.

    Args:
        curves: of the rows, led through their served probabilities.
        cancelled: days from the start of the window to the cancellation; infinity of who stays,
            shape (rows,).
        watched: days from the start of the window for which the row's future is known, shape
            (rows,).
        counts: what each row counts, one over the rows of its user, shape (rows,): one user's
            cancellation, seen from several dates, tells as much as one.
        weights: times that, where contacts may have changed what happened, shape (rows,); cancels
            and expected cancels are then as many as rows of equal weight would tell as much with.
    """
    weighed = counts if weights is None else counts * weights
    steps = np.diff(curves.hazards, axis=1, prepend=0.0)
    starts, ends = np.append(0.0, curves.days[:-1]), curves.days
    lived = np.minimum(cancelled, watched)[:, None]
    shares = np.clip((lived - starts) / (ends - starts), 0.0, 1.0)
    seen = np.where(cancelled < watched, cancelled, np.inf)[:, None]
    in_stretch = (seen >= starts) & (seen < ends)
    happened, expected = weighed @ in_stretch, weighed @ (steps * shares)
    if weights is not None and happened.sum() > 0:
        # Kish's effective number, as in `evaluation.weights`, of those who cancel.
        size = happened.sum() / ((weighed * weights) @ in_stretch).sum()
        happened, expected = happened * size, expected * size
    return CheckedCurves(ends, happened, expected)
