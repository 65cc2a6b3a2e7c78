"""What happened after earlier dates -> by how much hazards are mended, day by day of the curve.

Each stretch between two days of the curve has one factor for all users: cancels that happened in
it over cancels that the curves expected of those who were watched (the maximum likelihood of a
piecewise exponential model), drawn towards 1 where few were expected.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np

from churn_spark.arrays import Floats
from churn_spark.models.survival.curves import Curves

_PRIOR_CANCELS: Final = 50.0
"""Users: the shape of the models is trusted to some 14 % where nothing is known."""
ENOUGH_CANCELS: Final = 20.0
"""Cancels of a stretch from which on it counts as held against what happened."""


@dataclass(frozen=True)
class Pace:
    """Factors of the hazards between the days of curves.

    Attributes:
        days: ends of the stretches, shape (days,).
        factors: of the hazard of each stretch, shape (days,).
        cancels: users who cancelled in it and were watched, shape (days,).
        expected: cancels that the curves expected of the users watched, shape (days,).
    """

    days: Floats
    factors: Floats
    cancels: Floats
    expected: Floats

    @property
    def measured_days(self) -> int:
        """Up to here every stretch was held against what happened; 0: none."""
        is_known = np.append(self.cancels >= ENOUGH_CANCELS, False)
        return int(np.append(0.0, self.days)[int(np.argmin(is_known))])

    def mend(self, shape: Curves) -> Curves:
        """The curves with the hazard of each stretch multiplied by its factor.

        Factors of other days than the curves' are of another window: they mend nothing.
        """
        if not np.array_equal(shape.days, self.days):
            return shape
        steps = np.diff(shape.hazards, axis=1, prepend=0.0)
        return Curves(shape.days, np.cumsum(steps * self.factors, axis=1))

    def to_dict(self) -> dict[str, Any]:
        """Everything about it, for JSON."""
        return {name: values.tolist() for name, values in asdict(self).items()}

    @classmethod
    def from_dict(cls, found: dict[str, Any]) -> Pace:
        """What `to_dict` has given."""
        return cls(**{name: np.array(values, dtype=np.float64) for name, values in found.items()})


def fit_pace(curves: Curves, cancelled: Floats, watched: Floats, counts: Floats) -> Pace:
    """Factors of the stretches, from rows of earlier dates.

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
    """
    steps = np.diff(curves.hazards, axis=1, prepend=0.0)
    begins, ends = np.append(0.0, curves.days[:-1]), curves.days
    lived = np.minimum(cancelled, watched)[:, None]
    shares = np.clip((lived - begins) / (ends - begins), 0.0, 1.0)
    expected = counts @ (steps * shares)
    seen = np.where(cancelled < watched, cancelled, np.inf)[:, None]
    cancels = counts @ ((seen >= begins) & (seen < ends))
    factors = (cancels + _PRIOR_CANCELS) / (expected + _PRIOR_CANCELS)
    return Pace(ends, factors, cancels, expected)
