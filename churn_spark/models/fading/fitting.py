"""Users' session days before a date -> the model of fading: sums where the users are, then steps.

The parameters maximize the likelihood of the lives, cancellations included, times a weak prior, by
the steps of Berndt, Hall, Hall and Hausman ("Estimation and inference in nonlinear structural
models", 1974): the curvature is that of the users' slopes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial, reduce
from operator import add, itemgetter
from typing import Any, Final

import numpy as np
import pandas as pd

from churn_spark.arrays import Floats
from churn_spark.models.fading.clock import HOURS, WeeklyClock, fit_clock, hours_of_week
from churn_spark.models.fading.filtering import Sums, foresee_cancels, sum_slopes
from churn_spark.models.fading.lives import CYCLE_DAYS, Lives, build_lives, life_ends
from churn_spark.models.fading.model import FadingModel
from churn_spark.models.fading.parameters import Parameters, WeakPrior
from churn_spark.models.fading.parts import Parts
from churn_spark.models.fading.visits import visits_of
from churn_spark.timeline import day_start_millis

_PSEUDO_CANCELS: Final = 5.0
_MAX_STEPS: Final = 30
_ENOUGH: Final = 0.1
_MAX_MOVE: Final = 0.7
_TRIALS: Final = 6
_LOG_ODDS_FADING: Final = (-1.0, -2.0, -3.0, -4.0)
_PARTS_TO_CHOOSE_BY: Final = 8


@dataclass(frozen=True)
class UserDays:
    """The session days of some users, as they come from the log.

    Attributes:
        days: of each user begins and ends of the days of their sessions, epoch milliseconds;
            nothing where there are none.
        registered: epoch seconds, NaN where unknown, shape (users,).
        cancelled: epoch seconds, NaN of who didn't, shape (users,).
    """

    days: list[tuple[Any, Any]]
    registered: Floats
    cancelled: Floats

    @classmethod
    def of(cls, users: pd.DataFrame) -> UserDays:
        """Of rows with `begins`, `ends`, `registered` and `cancelled`."""
        days = list(zip(users["begins"], users["ends"], strict=True))
        instants = (users[name].to_numpy(dtype=np.float64) for name in ("registered", "cancelled"))
        return cls(days, *instants)


@dataclass(frozen=True)
class _Facts:
    """What lives amount to: days and cancels, days of pauses and how many ended.

    Attributes:
        lived: by day of the cycle, see `Lives.count_by_cycle_day`, shape (31,).
        cancels: of that shape.
        pause_days: of all pauses.
        n_pauses: that ended with a visit.
    """

    lived: Floats
    cancels: Floats
    pause_days: float
    n_pauses: float

    def __add__(self, other: _Facts) -> _Facts:
        return _Facts(
            self.lived + other.lived,
            self.cancels + other.cancels,
            self.pause_days + other.pause_days,
            self.n_pauses + other.n_pauses,
        )


def fit_fading(users: Parts[UserDays], log_start: date, fitted_before: date) -> FadingModel:
    """Fit clock, billing profile and parameters to what was known before a date, without labels.

    Args:
        users: in parts; nothing of the date or later is looked at.
        log_start: first date of the log.
        fitted_before: the date.

    Raises:
        ValueError: if there are no visits, or if their likelihood is no number.
    """
    start, end = (day_start_millis(day) / 1000.0 for day in (log_start, fitted_before))
    begun = sum(users.collect(partial(_count_begins, end=end)), np.zeros(HOURS))
    if not begun.sum() > 0:
        raise ValueError("no visits to fit to")
    clock = fit_clock(begun, start, end)
    with users.derive(partial(_build_lives, start=start, end=end, clock=clock)) as lives:
        facts = reduce(add, lives.collect(_sum_facts))
        profile = _fit_profile(facts.lived[:CYCLE_DAYS], facts.cancels[:CYCLE_DAYS])
        cancels_a_day = (facts.cancels.sum() + 1.0) / (facts.lived.sum() + 1.0)
        mean_pause = (facts.pause_days + 1.0) / (facts.n_pauses + 1.0)
        priors = [
            WeakPrior.around(float(cancels_a_day), mean_pause, log_odds)
            for log_odds in _LOG_ODDS_FADING
        ]
        prior, reached = _choose_prior(lives.first(_PARTS_TO_CHOOSE_BY), profile, priors)
        vector = _maximize(lives, profile, prior, reached)
    return FadingModel(Parameters.of_vector(vector), profile, clock, log_start, fitted_before)


def _count_begins(users: UserDays, end: float) -> Floats:
    """Visits that begin in each hour of the week, shape (168,)."""
    visits = visits_of(users.days, np.full(len(users.registered), end))
    return np.bincount(hours_of_week(visits.begins), minlength=HOURS).astype(np.float64)


def _build_lives(users: UserDays, start: float, end: float, clock: WeeklyClock) -> Lives:
    visits = visits_of(users.days, life_ends(users.cancelled, end))
    return build_lives(visits, users.registered, users.cancelled, start, end, clock)


def _sum_facts(lives: Lives) -> _Facts:
    pauses = lives.pauses
    return _Facts(
        *lives.count_by_cycle_day(), float(pauses.days.sum()), float(pauses.n_ended.sum())
    )


def _fit_profile(lived: Floats, cancels: Floats) -> Floats:
    """What multiplies the chance to cancel on each day of the cycle; mean 1 over the days lived."""
    if not cancels.sum() > 0:
        return np.ones(CYCLE_DAYS)
    expected = lived * cancels.sum() / lived.sum()
    profile = (cancels + _PSEUDO_CANCELS) / (expected + _PSEUDO_CANCELS)
    return np.asarray(profile * lived.sum() / (profile * lived).sum())


def _choose_prior(
    lives: Parts[Lives], profile: Floats, priors: Sequence[WeakPrior]
) -> tuple[WeakPrior, Floats]:
    """The prior under which the model foresees cancellations best, and its vector.

    How many users fade is what the likelihood of pauses is wrong about, so it doesn't decide:
    the chance of who cancelled when does, each day given only the pauses before it.
    """
    found, vector = [], priors[0].mean
    for prior in priors:
        vector = _maximize(lives, profile, prior, vector)
        foreseen = lives.collect(partial(foresee_cancels, vector=vector, profile=profile))
        found.append((sum(foreseen), prior, vector))
    _, best, start = max(found, key=itemgetter(0))
    return best, start


def _maximize(lives: Parts[Lives], profile: Floats, prior: WeakPrior, start: Floats) -> Floats:
    """The vector of the most likely parameters, uphill from a start.

    Raises:
        ValueError: if the likelihood of the start is no number: no way leads uphill from it.
    """

    def climb(vector: Floats) -> tuple[float, Sums]:
        sums = reduce(add, lives.collect(partial(sum_slopes, vector=vector, profile=profile)))
        return sums.log_likelihood + prior.log_density(vector), sums

    vector: Floats = start
    caution = 1.0
    height, sums = climb(vector)
    if not np.isfinite(height):
        raise ValueError(f"found a log likelihood of {height} at {vector}, expected a number")
    for _ in range(_MAX_STEPS):
        slope = sums.slope + prior.slope(vector)
        curvature = sums.products + prior.curvature(vector)
        for _ in range(_TRIALS):
            damped = curvature + caution * np.diag(np.diag(curvature))
            tried = vector + np.clip(np.linalg.solve(damped, slope), -_MAX_MOVE, _MAX_MOVE)
            reached, found = climb(tried)
            if reached > height:
                break
            caution *= 4.0
        else:
            return vector
        gained, vector, height, sums = reached - height, tried, reached, found
        caution = max(caution / 4.0, 1e-3)
        if gained < _ENOUGH:
            return vector
    return vector
