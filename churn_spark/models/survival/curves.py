"""Hazards of users, summed up to some days -> chances to stay, and days that they stay."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from churn_spark.arrays import Floats

_LARGEST = 1.0 - 1e-12
_LEAST = 1e-12


@dataclass(frozen=True)
class Curves:
    """Cumulative hazards, counted from the start of the label's window.

    Between two of the days the hazard is even. The chance to stay is `exp(-hazard)`.

    Attributes:
        days: ascending, the first above 0, shape (days,).
        hazards: up to each of the days, never falling, shape (users, days).
    """

    days: Floats
    hazards: Floats

    def hazards_at(self, days: Collection[float]) -> Floats:
        """Cumulative hazards at other days up to the last one, shape (users, days)."""
        at = np.asarray([*days], dtype=np.float64)
        known = np.append(0.0, self.days)
        after = np.clip(np.searchsorted(known, at), 1, len(known) - 1)
        share = (at - known[after - 1]) / (known[after] - known[after - 1])
        hazards = np.column_stack([np.zeros(len(self.hazards)), self.hazards])
        before = hazards[:, after - 1]
        return np.asarray(before + share * (hazards[:, after] - before))

    def survival(self, days: Collection[float]) -> Floats:
        """The chance of each user to stay as long, shape (users, days)."""
        return np.asarray(np.exp(-self.hazards_at(days)))

    def expected_days(self, cap: int) -> Floats:
        """How many days each user stays on average, none beyond the cap counted, shape (users,).

        A day counts that begins with the user subscribed: the first always does.
        """
        return np.asarray(self.survival(range(cap)).sum(axis=1))

    def led_through(self, probabilities: Floats, day: float) -> Curves:
        """The curves stretched so that the chance to cancel up to a day is the one given.

        One without a hazard up to there, or with one too small to be stretched, becomes even.

        Args:
            probabilities: 0 to 1, shape (users,).
            day: one of the days.
        """
        wanted = -np.log1p(-np.minimum(probabilities, _LARGEST))[:, None]
        own = self.hazards[:, [int(np.flatnonzero(self.days == day)[0])]]
        is_flat = own < _LEAST
        ratio = np.divide(wanted, own, out=np.zeros_like(wanted), where=~is_flat)
        even = wanted * self.days / day
        return Curves(self.days, np.where(is_flat, even, ratio * self.hazards))
