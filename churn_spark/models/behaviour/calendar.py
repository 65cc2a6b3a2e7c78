"""Days of exposure: how much of a working day's usual activity falls into a stretch of time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from churn_spark.arrays import Floats
from churn_spark.timeline import FIRST_MONDAY_S, SECONDS_PER_DAY


@dataclass(frozen=True)
class Calendar:
    """Counts days so that a week has seven, and a day of a weekend less than one.

    Attributes:
        weekend_factor: visits on a day of a weekend over those on a working day.
    """

    weekend_factor: float

    def days(self, begins: Floats, ends: Floats) -> Floats:
        """Give the days of exposure between instants, epoch seconds; the arguments broadcast."""
        found: Floats = self._since_monday(ends) - self._since_monday(begins)
        return found

    def _since_monday(self, instants: Floats) -> Floats:
        weeks, within = np.divmod(
            np.asarray(instants, dtype=np.float64) - FIRST_MONDAY_S, 7 * SECONDS_PER_DAY
        )
        days = within / SECONDS_PER_DAY
        working = 7.0 / (5.0 + 2.0 * self.weekend_factor)
        inside = np.minimum(days, 5.0) + np.maximum(days - 5.0, 0.0) * self.weekend_factor
        found: Floats = weeks * 7.0 + inside * working
        return found


def fit_calendar(weekdays: Floats, visits: Floats) -> Calendar:
    """Compare the visits of whole dates.

    Args:
        weekdays: 0 is Monday, shape (dates,).
        visits: on each date, shape (dates,).

    Returns:
        The calendar; with all days alike where a kind of day is missing or has no visit.
    """
    is_weekend = weekdays >= 5
    if not is_weekend.any() or is_weekend.all():
        return Calendar(1.0)
    working, weekend = visits[~is_weekend].mean(), visits[is_weekend].mean()
    return Calendar(float(weekend / working) if min(working, weekend) > 0 else 1.0)
