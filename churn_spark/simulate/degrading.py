"""The degrading regime: interest fades for weeks, then ends on a day near the billing day.

Each user is content or has been fading for some days. Every day a content user may begin to
fade, a fading one may recover or cancel. Sessions grow rarer while interest fades, so the
log shows what is coming. All parameters are choices of ours, not estimates from any service.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from churn_spark.arrays import Bools, Floats, Ints
from churn_spark.simulate.draws import lognormal_mean_one, uniforms, user_keys
from churn_spark.simulate.population import Population
from churn_spark.simulate.settings import DAY_S, Period, SimulationSettings
from churn_spark.timeline import day_number

CONTENT: Final = -1
NEVER: Final = 2**62
MAX_FADING_DAYS: Final = 28  # from here on nothing grows any more

OFFER_EVERY_DAYS: Final = 28
OFFER_EFFECT: Final = 0.6  # an offer multiplies the daily chance of cancelling by this
PRICE_CHANGE_AFTER_DAYS: Final = 30
_PRICE_EFFECT: Final = 2.0  # on the chance to begin to fade, for
_PRICE_EFFECT_DAYS: Final = 14

_ONSET_A_DAY: Final = 0.0075
ONSET_OF_PERSONA: Final = np.array([0.8, 2.0, 1.3, 0.7])
ONSET_SIGMA: Final = 0.6
FADING_AT_START: Final = 0.12
RECOVERY_A_DAY: Final = 0.02
_CANCEL_AT_BILLING: Final = 0.30
_CANCEL_ELSE: Final = 0.012
_BILLING_CYCLE_DAYS: Final = 30
_BILLING_DAYS: Final = 3  # the days of a cycle on which the bill is noticed
_RAMP_DAYS: Final = 21
_SLOWEST: Final = 3.0
_SEASON: Final = 0.15
_MIDWINTER: Final = 15  # day of the year when activity peaks

_DAY_STREAM: Final = 5
_TRAIT_STREAM: Final = 6
_OFFER_STREAM: Final = 7
_DRAWS_A_DAY: Final = 4


@dataclass(frozen=True)
class Course:
    """How interest goes over a period.

    Attributes:
        fading_days: days since each user began to fade at the start of each day and at the
            end of the period, `CONTENT` for the others, shape (days + 1, users).
        cancels_at: epoch seconds, `NEVER` for users who don't cancel, shape (users,).
    """

    fading_days: Ints
    cancels_at: Ints

    def pace(self, days: Ints) -> Floats:
        """Give what pauses between sessions are multiplied by, shape (days, users).

        Args:
            days: the period's days since the epoch.
        """
        fading = np.clip(self.fading_days[:-1], 0, MAX_FADING_DAYS) / MAX_FADING_DAYS
        season = 1.0 - _SEASON * np.cos(2.0 * np.pi * (days - _MIDWINTER) / 365.25)
        slowed: Floats = (1.0 + (_SLOWEST - 1.0) * fading) * season[:, None]
        return slowed


def offer_start(settings: SimulationSettings, day: int) -> int:
    """Give the day since the epoch on which the retention campaign in force at `day` began."""
    start = day_number(settings.start)
    return start + (day - start) // OFFER_EVERY_DAYS * OFFER_EVERY_DAYS


def is_offered(settings: SimulationSettings, number: Ints, day: int) -> Bools:
    """Tell who has an offer on a day: a fair coin for each user in each campaign.

    There is none in the first `OFFER_EVERY_DAYS` days.
    """
    begins = offer_start(settings, day)
    if begins <= day_number(settings.start):
        return np.zeros(len(number), dtype=bool)
    coins: Floats = uniforms(user_keys(settings.seed, _OFFER_STREAM, number), begins, 1)[0]
    return coins < 0.5


def own_onset(settings: SimulationSettings, number: Ints) -> Floats:
    """Give each user's own factor, of mean 1, on the chance to begin to fade, shape (users,)."""
    traits = uniforms(user_keys(settings.seed, _TRAIT_STREAM, number), 0, 2)
    return lognormal_mean_one(ONSET_SIGMA, traits[0], traits[1])


def onset_chance(settings: SimulationSettings, number: Ints, persona: Ints, day: int) -> Floats:
    """Give each content user's chance to begin to fade on a day, shape (users,)."""
    own = own_onset(settings, number) * ONSET_OF_PERSONA[persona]
    return onset_of(settings, own, day)


def onset_of(settings: SimulationSettings, own: Floats, day: int) -> Floats:
    """Give the chance to begin to fade on a day of users with factors of their own."""
    change = day_number(settings.start) + PRICE_CHANGE_AFTER_DAYS
    price = _PRICE_EFFECT if change <= day < change + _PRICE_EFFECT_DAYS else 1.0
    chance: Floats = np.minimum(_ONSET_A_DAY * own * price, 0.5)
    return chance


def cancel_chance(
    settings: SimulationSettings,
    registered: Ints,
    offered: Bools,
    fading_days: Ints,
    day: int,
) -> Floats:
    """Give the chance to cancel on a day of users who have been fading for some days.

    Args:
        settings: the world.
        registered: account creation, epoch seconds; the arguments broadcast.
        offered: whether the user has an offer.
        fading_days: `CONTENT` or days since the user began to fade.
        day: days since the epoch.

    Returns:
        Chances, 0 for content users.
    """
    in_cycle = (day - registered // DAY_S) % _BILLING_CYCLE_DAYS
    base = np.where(in_cycle < _BILLING_DAYS, _CANCEL_AT_BILLING, _CANCEL_ELSE)
    ramp = np.clip(fading_days, 0, _RAMP_DAYS) / _RAMP_DAYS
    drift = settings.drift_factor if settings.drift == "label" else 1.0
    drift = drift if day * DAY_S >= settings.drift_ts else 1.0
    chance: Floats = np.minimum(base * ramp * np.where(offered, OFFER_EFFECT, 1.0) * drift, 1.0)
    return chance


def first_fading_days(settings: SimulationSettings, population: Population) -> Ints:
    """Draw how long each user has been fading on arrival; newcomers are content."""
    draws = uniforms(user_keys(settings.seed, _TRAIT_STREAM, population.number), 2, 2)
    is_fading = (draws[0] < FADING_AT_START) & (population.arrives < settings.start_ts)
    return np.where(is_fading, (draws[1] * MAX_FADING_DAYS).astype(np.int64), CONTENT)


def simulate_course(
    settings: SimulationSettings,
    population: Population,
    fading_days: Ints,
    period: Period,
    keeps: Floats | None = None,
) -> Course:
    """Simulate interest day by day.

    A day's order: cancel or not; else recover or fade on; else begin to fade.

    Args:
        settings: the world.
        population: the users.
        fading_days: at the start of the period, shape (users,).
        period: the days.
        keeps: what contacts multiply each chance to cancel by, shape (days, users); None: nobody
            was contacted.
    """
    keys = user_keys(settings.seed, _DAY_STREAM, population.number)
    fading, history = fading_days, [fading_days]
    cancels_at = np.full(len(keys), NEVER, dtype=np.int64)
    for place, date in enumerate(period.dates):
        day = day_number(date)
        draws = uniforms(keys, day * _DRAWS_A_DAY, _DRAWS_A_DAY)
        offered = is_offered(settings, population.number, day)
        chance = cancel_chance(settings, population.registered, offered, fading, day)
        chance = chance if keeps is None else chance * keeps[place]
        # Late enough to be seen beside the day's other events, early enough to end with the day.
        moment = day * DAY_S + (28_800 + draws[3] * 50_000).astype(np.int64)
        cancels = (draws[0] < chance) & (cancels_at == NEVER)
        cancels_at = np.where(cancels, moment, cancels_at)
        is_here = population.arrives < (day + 1) * DAY_S
        onset = onset_chance(settings, population.number, population.persona, day)
        fading = np.where(
            fading == CONTENT,
            np.where((draws[2] < onset) & is_here, 0, CONTENT),
            np.where(draws[1] < RECOVERY_A_DAY, CONTENT, fading + 1),
        )
        history.append(fading)
    return Course(np.stack(history), cancels_at)


@dataclass(frozen=True)
class Standing:
    """Where users stand who have not cancelled; all of shape (users,).

    Attributes:
        number: user number.
        persona: index into `personas.PERSONA_NAMES`.
        registered: account creation, epoch seconds.
        fading_days: days since interest began to fade, `CONTENT` for the others.
    """

    number: Ints
    persona: Ints
    registered: Ints
    fading_days: Ints


def cancelled_by_day(
    settings: SimulationSettings,
    standing: Standing,
    days: range,
    offered: bool | None,
    keeps: Floats | None = None,
) -> Floats:
    """Give the exact chance to have cancelled by the end of each of some days.

    Args:
        settings: the world.
        standing: the users at the start of the first day.
        days: days since the epoch, without gaps.
        offered: None for the offers that the world makes; else what if all users had one for
            the whole time (True), or none (False).
        keeps: what contacts multiply each chance to cancel by, as for `simulate_course`.

    Returns:
        Chances, shape (len(days), users).
    """
    n_states = MAX_FADING_DAYS + 2  # content, then 0 to MAX_FADING_DAYS days of fading
    weight = np.zeros((len(standing.number), n_states))
    fading = np.minimum(standing.fading_days, MAX_FADING_DAYS)
    weight[np.arange(len(weight)), fading + 1] = 1.0
    ages = np.arange(n_states) - 1
    cancelled, by_day = np.zeros(len(weight)), []
    for place, day in enumerate(days):
        has_offer = (
            is_offered(settings, standing.number, day)
            if offered is None
            else np.full(len(weight), offered)
        )
        chance = cancel_chance(
            settings, standing.registered[:, None], has_offer[:, None], ages[None, :], day
        )
        chance = chance if keeps is None else chance * keeps[place][:, None]
        cancelled = cancelled + (weight * chance).sum(axis=1)
        stays = weight * (1.0 - chance)
        onset = onset_chance(settings, standing.number, standing.persona, day)
        weight = np.zeros_like(stays)
        weight[:, 0] = stays[:, 0] * (1.0 - onset) + stays[:, 1:].sum(axis=1) * RECOVERY_A_DAY
        weight[:, 1] = stays[:, 0] * onset
        weight[:, 2:] = stays[:, 1:-1] * (1.0 - RECOVERY_A_DAY)
        weight[:, -1] += stays[:, -1] * (1.0 - RECOVERY_A_DAY)
        by_day.append(cancelled)
    return np.stack(by_day)
