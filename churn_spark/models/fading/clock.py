"""Time that runs as fast as users come: an hour at night is shorter than one in the evening."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from churn_spark.arrays import Floats, Ints
from churn_spark.timeline import FIRST_MONDAY_S

HOURS: Final = 168
_HOUR_S: Final = 3600
_WEEK_S: Final = HOURS * _HOUR_S
_PSEUDO_VISITS: Final = 20.0


@dataclass(frozen=True)
class WeeklyClock:
    """Counts days so that a week has seven, and a busy hour more than a quiet one.

    Attributes:
        activity: of each hour of the week from Monday on, mean 1, shape (168,).
    """

    activity: Floats

    def days(self, begins: Floats, ends: Floats) -> Floats:
        """Days of average activity between instants, epoch seconds; the arguments broadcast."""
        return self._since_monday(ends) - self._since_monday(begins)

    def _since_monday(self, instants: Floats) -> Floats:
        weeks, within = np.divmod(np.asarray(instants, dtype=np.float64) - FIRST_MONDAY_S, _WEEK_S)
        passed = np.concatenate([[0.0], np.cumsum(self.activity)]) / 24.0
        found: Floats = weeks * 7.0 + np.interp(within / _HOUR_S, np.arange(HOURS + 1), passed)
        return found


def hours_of_week(instants: Floats) -> Ints:
    """The hour of the week of each instant, epoch seconds: 0 is Monday from midnight on."""
    return ((instants - FIRST_MONDAY_S) % _WEEK_S // _HOUR_S).astype(np.int64)


def fit_clock(visits: Floats, begin: float, end: float) -> WeeklyClock:
    """Compare the hours of the week by the visits that begin in them.

    Args:
        visits: that begin in each hour of the week, shape (168,).
        begin: of the time that they were counted in, epoch seconds at a full hour.
        end: of that time.
    """
    hours = np.arange(begin, end, _HOUR_S, dtype=np.float64)
    times = np.bincount(hours_of_week(hours), minlength=HOURS).astype(np.float64)
    mean = max(float(visits.sum() / times.sum()), 1.0 / times.sum())
    # Each hour begins with some visits at the mean rate, so that a rare one isn't taken for dead.
    rates = (visits + _PSEUDO_VISITS) / (times + _PSEUDO_VISITS / mean)
    return WeeklyClock(rates / rates.mean())
