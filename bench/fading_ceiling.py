"""What can be known in a world of fading interest by who knows its rules, but reads only the log.

The filter of the simulator's own rules: of every user the chance of each state of interest, own
pace and own tendency to fade, given when they came, when their bills come and what their pages
tell of the kind of listener. Were all of that exact, no model of the log could forecast better on
average. Three things are approximate: of offers, which no log shows, only the mean is known;
silence of half an hour to an hour is part of a visit; and the kind of listener is what the
product's own inference says, told the true page chances.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np
import polars as pl
from scipy.stats import norm

from churn_spark.arrays import Floats, Ints
from churn_spark.models.fading.clock import WeeklyClock
from churn_spark.models.fading.evidence import gather_days_here
from churn_spark.models.fading.lives import Lives, build_lives
from churn_spark.models.fading.visits import visits_of
from churn_spark.simulate import degrading, personas
from churn_spark.simulate.clock import activity_rates
from churn_spark.simulate.settings import DAY_S, SimulationSettings
from churn_spark.timeline import Horizon, day_number, day_start_millis

_MONDAY_HOUR: Final = 96
_PACES: Final = np.linspace(-2.8, 2.8, 15)  # of the log of the own pause, in standard deviations
_ONSETS: Final = np.geomspace(0.15, 6.0, 7)  # times the chance to begin to fade
_AGES: Final = np.arange(degrading.MAX_FADING_DAYS + 2) - 1  # content, then days of fading
_BLOCK_USERS: Final = 256


def forecast_true(
    settings: SimulationSettings,
    session_days: pl.DataFrame,
    users: pl.DataFrame,
    personas_of: Floats,
    as_of: date,
    horizon: Horizon,
) -> Floats:
    """The chance to cancel in the horizon, by the world's rules and the log before a date.

    Args:
        settings: of the world.
        session_days: of the log, `evidence.DAY_COLUMNS`.
        users: `user_id` and `registered` (epoch seconds) of those who haven't cancelled.
        personas_of: chance that each user is of each persona, shape (users, personas).
        as_of: the date.
        horizon: of the forecast.

    Returns:
        Shape (users,).
    """
    start, now = (day_start_millis(day) / 1000.0 for day in (settings.start, as_of))
    clock = WeeklyClock(activity_rates(np.arange(168) + _MONDAY_HOUR))
    days = users[["user_id"]].join(
        gather_days_here(session_days), "user_id", "left", maintain_order="left"
    )
    registered, found = users["registered"].to_numpy(), []
    onsets = personas_of @ _onset_weights()
    rows = days.to_pandas()
    for begin in range(0, len(rows), _BLOCK_USERS):
        block = slice(begin, begin + _BLOCK_USERS)
        pairs = zip(rows["begins"][block], rows["ends"][block], strict=True)
        n = len(registered[block])
        visits = visits_of(pairs, np.full(n, now))
        stays = np.full(n, np.nan)
        lives = build_lives(visits, registered[block], stays, start, now, clock)
        filtered = _Filter(settings, registered[block].astype(np.int64), onsets[block], lives)
        found.append(filtered.forecast(horizon))
    return np.concatenate(found)


def _onset_weights() -> Floats:
    """Chance of each own tendency to fade given the persona, shape (personas, onsets)."""
    edges = np.concatenate([[-np.inf], np.diff(np.log(_ONSETS)) / 2 + np.log(_ONSETS)[:-1]])
    means = np.log(degrading.ONSET_OF_PERSONA) - degrading.ONSET_SIGMA**2 / 2.0
    below = norm.cdf((edges - means[:, None]) / degrading.ONSET_SIGMA)
    return np.diff(below, axis=1, append=1.0)


@dataclass(frozen=True)
class _Filter:
    """The world's rules for some users, and what the log says of them.

    Attributes:
        settings: of the world.
        registered: epoch seconds, shape (users,).
        onsets: chance of each own tendency to fade, shape (users, onsets).
        lives: up to the date.
    """

    settings: SimulationSettings
    registered: Ints
    onsets: Floats
    lives: Lives

    def forecast(self, horizon: Horizon) -> Floats:
        """The chance to cancel in the window, given none in the gap, shape (users,)."""
        weights, first = self._begin(), self.lives.n_days
        for day in range(first):
            self._see(weights, day)
            weights = self._live(weights, day)
            weights /= weights.sum(axis=(1, 2, 3), keepdims=True)
        known: Floats = weights.sum(axis=3, keepdims=True)  # paces tell nothing any more
        for day in range(first, first + horizon.gap_days):
            known = self._live(known, day)
        at_begin = known.sum(axis=(1, 2, 3))
        begin = first + horizon.gap_days
        for day in range(begin, begin + horizon.days):
            known = self._live(known, day)
        return np.asarray(1.0 - known.sum(axis=(1, 2, 3)) / at_begin)

    def _begin(self) -> Floats:
        """Weights on the log's first day, shape (users, states, onsets, paces)."""
        n_faded = degrading.MAX_FADING_DAYS
        states = np.zeros((len(self.registered), len(_AGES)))
        fading = np.where(self.lives.is_new, 0.0, degrading.FADING_AT_START)
        states[:, 0] = 1.0 - fading
        states[:, 1 : n_faded + 1] = fading[:, None] / n_faded
        paces = norm.pdf(_PACES) / norm.pdf(_PACES).sum()
        return np.asarray(states[:, :, None, None] * self.onsets[:, None, :, None] * paces)

    def _see(self, weights: Floats, day: int) -> None:
        """Weigh by how likely the pauses are that began on a day."""
        chosen = self.lives.pauses.of_day(day)
        user = self.lives.pauses.user[chosen]
        sigma = personas.SESSION_GAP_SIGMA
        own = np.exp(sigma * _PACES - sigma**2 / 2.0) * personas.SESSION_GAP_S / DAY_S
        course = degrading.Course(np.tile(_AGES, (2, 1)), np.zeros(0, dtype=np.int64))
        slowed = course.pace(np.array([self._date(day)]))[0]
        means = slowed[:, None] * own
        days = self.lives.pauses.days[chosen, None, None]
        n_ended = self.lives.pauses.n_ended[chosen, None, None]
        logs = -days / means - n_ended * np.log(means)
        likelihoods = np.exp(logs - logs.max(axis=(1, 2), keepdims=True))
        weights[user] *= likelihoods[:, :, None, :]

    def _live(self, weights: Floats, day: int) -> Floats:
        """Those who don't cancel on a day, in their states after it."""
        date_number, alive = self._date(day), (self.lives.joined <= day)[:, None, None]
        nobody = np.zeros((1, 1), dtype=bool)
        chance = degrading.cancel_chance(
            self.settings, self.registered[:, None], nobody, _AGES[None, :], date_number
        )
        is_campaign = degrading.offer_start(self.settings, date_number) > day_number(
            self.settings.start
        )
        if is_campaign:
            chance = chance * (1.0 + degrading.OFFER_EFFECT) / 2.0
        stays = weights * (1.0 - np.where(alive[:, :, 0], chance, 0.0))[:, :, None, None]
        onset = degrading.onset_of(self.settings, _ONSETS, date_number)[None, :, None]
        onset, recovery = onset * alive, degrading.RECOVERY_A_DAY
        moved = np.empty_like(stays)
        moved[:, 0] = stays[:, 0] * (1.0 - onset) + stays[:, 1:].sum(axis=1) * recovery
        moved[:, 1] = stays[:, 0] * onset
        moved[:, 2:] = stays[:, 1:-1] * (1.0 - recovery)
        moved[:, -1] += stays[:, -1] * (1.0 - recovery)
        return moved

    def _date(self, day: int) -> int:
        return day_number(self.settings.start) + day
