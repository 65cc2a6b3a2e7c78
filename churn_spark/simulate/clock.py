"""When sessions start: a Poisson clock that runs slow at night and at weekends.

The log has one clock for all its users (measured: sessions start most often at 15 h and
least often from 1 to 6 h UTC whatever the user's location), so the profile is in UTC.
Counting activity in seconds of an average hour makes the exponential gap exact: a start is
the moment at which the accumulated activity has grown by the drawn gap.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from churn_spark.arrays import Floats, Ints
from churn_spark.timeline import FIRST_MONDAY_S

SESSION_FLOOR_S: Final = 30 * 60
_WEEK_S: Final = 7 * 86_400
# Relative chance that a session starts in an hour of a working day; smoothed and rounded from
# the session starts of a log of the public generator.
_HOURS: Final = (
    31, 30, 29, 28, 27, 27, 28, 30, 33, 36, 41, 46, 53, 65, 86, 90, 68, 50, 42, 37, 32, 30, 30, 29,
)  # fmt: skip
_WEEKEND_SHARE: Final = 0.47


def _accumulated_week() -> tuple[Floats, Floats]:
    """Give the hour marks of a week (s) and the activity accumulated by each (s)."""
    rate = np.tile(np.array(_HOURS, dtype=np.float64), 7)
    rate[5 * 24 :] *= _WEEKEND_SHARE
    activity = np.concatenate([[0.0], np.cumsum(rate / rate.mean())]) * 3600.0
    return np.arange(169) * 3600.0, activity


_MARKS, _ACTIVITY = _accumulated_week()


def session_starts(not_before: Ints, gaps: Floats) -> Ints:
    """Give the start of the next session of each user.

    Args:
        not_before: earliest possible start, epoch seconds, shape (n,).
        gaps: exponential gaps in seconds of average activity, shape (n,).

    Returns:
        Epoch seconds, shape (n,), each at or after `not_before`.
    """
    weeks, within = np.divmod(not_before - FIRST_MONDAY_S, _WEEK_S)
    target = weeks * float(_WEEK_S) + np.interp(within, _MARKS, _ACTIVITY) + gaps
    weeks_later, activity = np.divmod(target, float(_WEEK_S))
    starts = weeks_later * _WEEK_S + np.interp(activity, _ACTIVITY, _MARKS) + FIRST_MONDAY_S
    return np.maximum(np.ceil(starts - 1e-6).astype(np.int64), not_before)


def activity_rates(hours: Ints) -> Floats:
    """Give how fast the clock runs in each hour, 1 on average over a week.

    Args:
        hours: hours since the epoch.

    Returns:
        Rates, of the shape of `hours`.
    """
    rates: Floats = np.diff(_ACTIVITY) / 3600.0
    found: Floats = rates[(hours - FIRST_MONDAY_S // 3600) % 168]
    return found
