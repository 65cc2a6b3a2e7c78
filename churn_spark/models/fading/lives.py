"""Visits -> lives: of every user and day, the pauses that began on it and when the bill comes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from churn_spark.arrays import Bools, Floats, Ints
from churn_spark.contracts.pages import SILENCE_MILLIS
from churn_spark.models.fading.clock import WeeklyClock
from churn_spark.models.fading.visits import Visits
from churn_spark.timeline import SECONDS_PER_DAY

CYCLE_DAYS: Final = 30
"""A bill comes so many days after registration, and again after as many."""
_PAUSE_S: Final = SILENCE_MILLIS / 1000.0
"""A visit is over when so long nobody has come: pauses are counted from then on."""


@dataclass(frozen=True)
class Pauses:
    """Pauses by the user and the day on which they began, in the order of days.

    Attributes:
        user: place of the user, shape (pauses,).
        days: how long, days of average activity, summed where several began on a day.
        n_ended: how many of them ended with a visit; the others still last.
        bounds: where each day's begin, and the end, shape (days + 1,).
    """

    user: Ints
    days: Floats
    n_ended: Floats
    bounds: Ints

    def of_day(self, day: int) -> slice:
        """Where the day's are."""
        return slice(int(self.bounds[day]), int(self.bounds[day + 1]))


@dataclass(frozen=True)
class Lives:
    """What is known of users from the log's first day, 0, to the day before `n_days`.

    Attributes:
        joined: the day on which each life begins, shape (users,).
        ended: the day on which it ends, by a cancellation or where knowledge ends.
        is_new: whether the user registered within the log.
        is_cancelled: whether the life ended by a cancellation.
        cycle_day: day of the billing cycle on the log's first day; -1 where unknown.
        pauses: between visits, and before the first one.
        n_days: of the log.
    """

    joined: Ints
    ended: Ints
    is_new: Bools
    is_cancelled: Bools
    cycle_day: Ints
    pauses: Pauses
    n_days: int

    def is_alive(self, day: int | Ints) -> Bools:
        """Who lives through the day, shape (users,); of days of shape (n, 1), (n, users)."""
        return (self.joined <= day) & (self.ended > day)

    def factors(self, profile: Floats, day: int | Ints) -> Floats:
        """What the billing cycle makes of chances to cancel on a day; 1 where it is unknown.

        Args:
            profile: of each day of the cycle, shape (30,).
            day: of the log; also beyond its end; one, or several of shape (n, 1).
        """
        return np.append(profile, 1.0)[self._places(day)]

    def final_factors(self, profile: Floats) -> Floats:
        """The same on the day on which each life ended."""
        return np.append(profile, 1.0)[self._places(self.ended)]

    def count_by_cycle_day(self) -> tuple[Floats, Floats]:
        """Days lived and cancellations on each day of the cycle, each of shape (31,).

        The last one is of all days of users whose cycle is unknown.
        """
        lived = np.zeros(CYCLE_DAYS + 1)
        for day in range(self.n_days):
            alive = self.is_alive(day)
            lived += np.bincount(self._places(day)[alive], minlength=CYCLE_DAYS + 1)
        cancels = np.bincount(
            self._places(self.ended)[self.is_cancelled], minlength=CYCLE_DAYS + 1
        ).astype(np.float64)
        return lived, cancels

    def _places(self, day: int | Ints) -> Ints:
        """Days of the cycle, `CYCLE_DAYS` where they aren't known."""
        known = (self.cycle_day + day) % CYCLE_DAYS
        return np.where(self.cycle_day < 0, CYCLE_DAYS, known)


def build_lives(
    visits: Visits,
    registered: Floats,
    cancelled: Floats,
    log_start: float,
    until: float,
    clock: WeeklyClock,
) -> Lives:
    """The lives of users up to an instant.

    Of who cancels, the day of the cancellation is left out: its visits are the outcome itself.

    Args:
        visits: of the users, none that begins after their life's end.
        registered: epoch seconds, NaN where unknown, shape (users,).
        cancelled: epoch seconds, NaN of who didn't, shape (users,).
        log_start: begin of the log's first date, epoch seconds.
        until: nothing of this instant or later is known: the start of a date.
        clock: measures the pauses.
    """
    n_days = _day(np.array(until), log_start)
    is_cancelled = cancelled < until
    ended = np.where(is_cancelled, _day(np.nan_to_num(cancelled), log_start), n_days)
    is_known = ~np.isnan(registered)
    first = _day(np.where(is_known, registered, log_start), log_start)
    is_new = is_known & (registered >= log_start)
    joined = np.clip(np.where(is_new, first, 0), 0, ended)
    pauses = _measure_pauses(visits, joined, ended, is_new, log_start, clock, int(n_days))
    cycle_day = np.where(is_known, -first % CYCLE_DAYS, -1)
    return Lives(joined, ended, is_new, is_cancelled, cycle_day, pauses, int(n_days))


def life_ends(cancelled: Floats, until: float) -> Floats:
    """Until when visits are looked at: the start of the day on which a user cancels, or the end."""
    day_begins = np.floor(cancelled / SECONDS_PER_DAY) * SECONDS_PER_DAY
    return np.asarray(np.fmin(day_begins, until))


def _measure_pauses(
    visits: Visits,
    joined: Ints,
    ended: Ints,
    is_new: Bools,
    log_start: float,
    clock: WeeklyClock,
    n_days: int,
) -> Pauses:
    """The pause after each visit, and the one from the log's begin to the first of old users.

    Users who register in the log come to do so: what lies before their first visit tells nothing.
    """
    end = log_start + ended * float(SECONDS_PER_DAY)
    n_users = len(joined)
    is_first = np.append(True, visits.user[1:] != visits.user[:-1])[: len(visits.user)]
    is_last = np.roll(is_first, -1)
    nexts = np.where(is_last, end[visits.user], np.roll(visits.begins, -1))
    first = np.full(n_users, np.nan)
    first[visits.user[is_first]] = visits.begins[is_first]
    old = np.flatnonzero(~is_new)
    user = np.concatenate([visits.user, old])
    day = np.concatenate([_day(visits.ends, log_start), joined[old]])
    begins = np.concatenate([visits.ends + _PAUSE_S, np.full(len(old), log_start)])
    until = np.concatenate([nexts, np.where(np.isnan(first), end, first)[old]])
    has_ended = np.concatenate([~is_last, ~np.isnan(first[old])])
    length = clock.days(begins, np.maximum(until, begins))
    # A visit that is known to the life's end only has no pause yet.
    is_counted = (day < ended[user]) & (day >= joined[user])
    return _by_day(user, day, length, has_ended, is_counted, n_users, n_days)


def _by_day(
    user: Ints,
    day: Ints,
    length: Floats,
    has_ended: Bools,
    is_counted: Bools,
    n_users: int,
    n_days: int,
) -> Pauses:
    key = (day * n_users + user)[is_counted]
    cells, place = np.unique(key, return_inverse=True)
    days, n_ended = (
        np.bincount(place, weights[is_counted], len(cells)).astype(np.float64)
        for weights in (length, has_ended.astype(np.float64))
    )
    bounds = np.searchsorted(cells, np.arange(n_days + 1) * n_users)
    return Pauses(cells % max(n_users, 1), days, n_ended, bounds)


def _day(instants: Floats, log_start: float) -> Ints:
    days: Ints = np.floor((instants - log_start) / SECONDS_PER_DAY).astype(np.int64)
    return days
