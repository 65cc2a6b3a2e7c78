"""The published figures of the full log, and the same figures of any other log."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from bench.event_log import EventLog
from churn_spark.arrays import Bools, Floats

_QUANTILES: Final = (10, 25, 50, 75, 90)
_HOUR_S: Final = 3600
_DAY_S: Final = 86_400
_MONDAY_DAY: Final = 4
# Per 1,000 events.
_RATES: Final = {
    "songs": "NextSong",
    "thumbs up": "Thumbs Up",
    "thumbs down": "Thumbs Down",
    "adverts": "Roll Advert",
    "downgrade page": "Downgrade",
    "playlist": "Add to Playlist",
    "friends": "Add Friend",
    "home": "Home",
}


@dataclass(frozen=True)
class Figure:
    """A published figure and how near a log must come to it.

    Attributes:
        name: what it is of.
        published: its value in the full log, 26,259,199 events of 22,277 users.
        tolerance: the distance allowed.
        is_relative: whether the tolerance is a share of the published value.
    """

    name: str
    published: float
    tolerance: float
    is_relative: bool = True

    def miss(self, value: float) -> float:
        """Give the distance as a share of the tolerance: up to 1 it holds."""
        allowed = self.tolerance * (abs(self.published) if self.is_relative else 1.0)
        return abs(value - self.published) / allowed


def _per_group(what: str, group: str, published: str, tolerance: float) -> list[Figure]:
    """Read quantiles that are written `a/b/c/d/e`."""
    return [
        Figure(f"{what}, quantile {q}, {group}", float(value), tolerance)
        for q, value in zip(_QUANTILES, published.split("/"), strict=True)
    ]


PUBLISHED: Final = (
    Figure("cancelled share, %", 22.5, 1.5, is_relative=False),
    Figure("cancels a session", 0.0168, 0.10),
    Figure("share of cancels while paid, %", 67.0, 4.0, is_relative=False),
    *_per_group("events a user", "stayed", "103/268/702/1570/2837", 0.12),
    *_per_group("events a user", "cancelled", "91/249/646/1424/2586", 0.12),
    *_per_group("sessions a user", "stayed", "3/5/10/18/30", 0.12),
    *_per_group("sessions a user", "cancelled", "2/4/8/16/28", 0.12),
    *(
        Figure(f"{name} per 1,000 events, {group}", published, 0.08)
        for group, row in (
            ("stayed", (819, 46.1, 9.1, 14.2, 7.0, 23.6, 15.0, 36.6)),
            ("cancelled", (815, 41.7, 10.3, 18.6, 8.1, 23.2, 14.9, 36.7)),
        )
        for name, published in zip(_RATES, row, strict=True)
    ),
    Figure("weekday to weekend events", 1.75, 0.10),
    Figure("peak hour, UTC", 16.0, 2.0, is_relative=False),
    Figure("trough hour, UTC", 6.0, 1.0, is_relative=False),
)


def _sessions(log: EventLog) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Give the user and the number of events of every (user, sessionId)."""
    keys = log.user.astype(np.int64) << 32 | log.session
    found, counts = np.unique(keys, return_counts=True)
    return found >> 32, counts


def hour_profile(log: EventLog) -> Floats:
    """Give the share of the events in each hour of the day, UTC, shape (24,)."""
    counts = np.bincount(log.ts // _HOUR_S % 24, minlength=24)
    shares: Floats = counts / counts.sum()
    return shares


def _smoothed_hour(profile: Floats, find: str) -> float:
    """Give the middle of the three hours, around midnight too, with most or fewest events."""
    around = profile + np.roll(profile, 1) + np.roll(profile, -1)
    return float(around.argmax() if find == "peak" else around.argmin())


def measure_log(log: EventLog) -> dict[str, float]:
    """Measure all figures that are published of the full log.

    Returns:
        Values by the names of `PUBLISHED`.
    """
    n_events = np.bincount(log.user)
    session_user, _ = _sessions(log)
    n_sessions = np.bincount(session_user, minlength=log.n_users)
    confirmed = log.is_page("Cancellation Confirmation")
    cancelled = np.bincount(log.user[confirmed], minlength=log.n_users) > 0
    values = {
        "cancelled share, %": 100.0 * cancelled.mean(),
        "cancels a session": confirmed.sum() / len(session_user),
        "share of cancels while paid, %": 100.0 * log.is_paid[confirmed].mean(),
    }
    for group, is_in in (("stayed", ~cancelled), ("cancelled", cancelled)):
        for what, counts in (("events", n_events), ("sessions", n_sessions)):
            for q, value in zip(_QUANTILES, np.percentile(counts[is_in], _QUANTILES), strict=True):
                values[f"{what} a user, quantile {q}, {group}"] = value
        chosen = is_in[log.user]
        for name, page in _RATES.items():
            rate = 1000.0 * log.is_page(page)[chosen].mean()
            values[f"{name} per 1,000 events, {group}"] = rate
    is_weekend = (log.ts // _DAY_S - _MONDAY_DAY) % 7 >= 5
    values["weekday to weekend events"] = _weekday_to_weekend(log, is_weekend)
    profile = hour_profile(log)
    values["peak hour, UTC"] = _smoothed_hour(profile, "peak")
    values["trough hour, UTC"] = _smoothed_hour(profile, "trough")
    return {name: float(value) for name, value in values.items()}


def _weekday_to_weekend(log: EventLog, is_weekend: Bools) -> float:
    """Give the mean events of a working day over those of a day of a weekend."""
    days = log.ts // _DAY_S
    on_weekends, on_weekdays = days[is_weekend], days[~is_weekend]
    return (len(on_weekdays) / len(np.unique(on_weekdays))) / (
        len(on_weekends) / len(np.unique(on_weekends))
    )
