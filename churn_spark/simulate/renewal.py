"""The memoryless regime's true chance to cancel, from personas and rates alone.

A user is between sessions in one of a few contexts (auth and level) or within a session. The
page chances of a persona give exactly how a session that begins in a context ends: in which
context, or with a cancellation. Sessions begin at the rate of the clock over the user's gap.
So the chance to have cancelled by a moment follows a small linear differential equation with
known coefficients. One thing in it is approximate: a session lasts an exponential time with
the right mean, where the simulation's sessions last a sum of many gaps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from churn_spark.arrays import Bools, Floats, Ints
from churn_spark.contracts.pages import Page
from churn_spark.simulate.catalogue import build_catalogue
from churn_spark.simulate.clock import SESSION_FLOOR_S, activity_rates
from churn_spark.simulate.next_event import IS_GONE
from churn_spark.simulate.pages import CONTEXTS, N_STATES, PAGES, REDIRECT_PAGES
from churn_spark.simulate.personas import (
    END_STATE,
    MoveTable,
    build_opener_table,
    build_world_table,
    world_row,
)
from churn_spark.simulate.settings import DAY_S, SimulationSettings

_STEPS_A_DAY: Final = 48
_N_CONTEXTS: Final = len(CONTEXTS)
_CONTEXT_OF: Final = np.arange(N_STATES) // len(PAGES)
_PAGE_OF: Final = np.array(PAGES)[np.arange(N_STATES) % len(PAGES)]
_IS_SONG: Final = _PAGE_OF == Page.NEXT_SONG
_IS_REDIRECT: Final = np.isin(_PAGE_OF, REDIRECT_PAGES)
_GAP_GRID_S: Final = np.geomspace(0.5, 50_000.0, 64)


@dataclass(frozen=True)
class SessionTable:
    """How sessions of one persona go on from each state, and from their begin.

    Attributes:
        ends: chance of each context at the session's end, given that the next event belongs
            to the session, shape (states, contexts); what is missing to 1 is the cancellation.
        seconds: mean time to the end for the gaps of `_GAP_GRID_S`, shape (gaps, states).
        opened_ends: as `ends`, for a session that begins in a context, (contexts, contexts).
        opened_seconds: as `seconds`, shape (gaps, contexts).
    """

    ends: Floats
    seconds: Floats
    opened_ends: Floats
    opened_seconds: Floats


def _mean_holds(gap_s: float, song_s: float) -> Floats:
    """Give the mean seconds from a state to each next one, shape (states, states).

    A song waits for the one before it to end. That one has then been playing for a second (a
    redirect) or for an exponential gap (any other page).
    """
    mean_gap = 1.0 / np.expm1(1.0 / gap_s)  # of an exponential rounded down to whole seconds
    holds = np.full((N_STATES, N_STATES), mean_gap)
    rest = song_s - gap_s * -np.expm1(-song_s / gap_s) + np.exp(-song_s / gap_s) * mean_gap
    holds[:, _IS_SONG] = rest
    holds[np.ix_(_IS_REDIRECT, _IS_SONG)] = song_s - 1.0
    holds[np.ix_(_IS_SONG, _IS_SONG)] = song_s
    holds[:, _IS_REDIRECT] = 1.0
    return holds


def _chances(table: MoveTable, row: int) -> tuple[Floats, Floats]:
    """Turn a row of a move table into a matrix of next states and a vector of session ends."""
    chances = np.diff(table.cumulative[row], axis=1, prepend=0.0)
    matrix = np.zeros((len(chances), N_STATES))
    ends = np.where(table.targets[row] == END_STATE, chances, 0.0).sum(axis=1)
    states = np.broadcast_to(np.arange(len(chances))[:, None], chances.shape)
    goes_on = table.targets[row] != END_STATE
    np.add.at(matrix, (states[goes_on], table.targets[row][goes_on]), chances[goes_on])
    return matrix, ends


def _build_session_table(
    moves: MoveTable, row: int, openers: Floats, song_s: float
) -> SessionTable:
    """Solve the chain of a persona for its sessions' ends and lengths."""
    matrix, ends = _chances(moves, row)
    inner = np.where(IS_GONE, 0.0, matrix)
    here = np.eye(_N_CONTEXTS)[_CONTEXT_OF]
    solve = np.linalg.inv(np.eye(N_STATES) - inner)
    outcome = solve @ (ends[:, None] * here)
    seconds = np.stack([(matrix * _mean_holds(gap, song_s)).sum(axis=1) for gap in _GAP_GRID_S])
    seconds = seconds @ solve.T
    stays = np.maximum(1.0 - ends, 1e-12)
    return SessionTable(
        ends=(outcome - ends[:, None] * here) / stays[:, None],
        seconds=seconds / stays,
        opened_ends=openers @ outcome,
        opened_seconds=seconds @ openers.T,
    )


def build_session_tables(settings: SimulationSettings, is_treated: bool) -> list[SessionTable]:
    """Build the table of every row of `personas.build_world_table`.

    Raises:
        InputError: if the drift leaves a chance outside 0 to 1.
    """
    moves = build_world_table(settings, is_treated)
    openers, _ = _chances(build_opener_table(), 0)
    catalogue = build_catalogue()
    song_s = float(np.average(catalogue.lengths.astype(np.int64), weights=catalogue.weights))
    return [_build_session_table(moves, row, openers, song_s) for row in range(len(moves.targets))]


def _interpolate(table: Floats, gap_s: Floats, column: Ints) -> Floats:
    """Read mean seconds at each user's own gap, in the column of each user."""
    place = np.interp(np.log(gap_s), np.log(_GAP_GRID_S), np.arange(len(_GAP_GRID_S)))
    low = np.minimum(place.astype(np.int64), len(_GAP_GRID_S) - 2)
    share = place - low
    found: Floats = table[low, column] * (1.0 - share) + table[low + 1, column] * share
    return found


@dataclass(frozen=True)
class Standing:
    """Where users stand who have not cancelled; all of shape (users,).

    Attributes:
        persona: index into `personas.PERSONA_NAMES`.
        event_gap: mean seconds between two page visits.
        session_gap: mean seconds between two sessions.
        state: of the last event.
        is_in_session: whether the next event belongs to the same session.
    """

    persona: Ints
    event_gap: Floats
    session_gap: Floats
    state: Ints
    is_in_session: Bools

    def take(self, rows: Ints) -> Standing:
        """Give the users at these positions."""
        return Standing(
            self.persona[rows],
            self.event_gap[rows],
            self.session_gap[rows],
            self.state[rows],
            self.is_in_session[rows],
        )


def cancelled_by_day(
    settings: SimulationSettings, standing: Standing, days: range, saving: Ints | None = None
) -> Floats:
    """Give the chance to have cancelled by the end of each of some days.

    Args:
        settings: the world.
        standing: the users at the start of the first day.
        days: days since the epoch, without gaps.
        saving: which offer keeps users from cancelling, -1 for none, shape (days, users); None
            where nobody is under an offer.

    Returns:
        Chances, shape (len(days), users).

    Raises:
        InputError: if the drift leaves a chance outside 0 to 1.
    """
    tables = build_session_tables(settings, saving is not None)
    offers = np.full((len(days), len(standing.state)), -1) if saving is None else saving
    is_after = np.array(days)[:, None] * DAY_S >= settings.drift_ts
    in_table = world_row(standing.persona[None, :], is_after, offers)
    by_day = np.zeros(in_table.shape)
    courses, of_user = np.unique(in_table, axis=1, return_inverse=True)
    for course, row_by_day in enumerate(courses.T.tolist()):
        rows = np.flatnonzero(of_user.ravel() == course)
        own = [tables[row] for row in row_by_day]
        by_day[:, rows] = _of_one_course(own, standing.take(rows), days)
    return by_day


def _of_one_course(tables: list[SessionTable], standing: Standing, days: range) -> Floats:
    """Follow the chances of users with the same table on each day: between sessions, within, gone.

    The weights have shape (1 + 2 * contexts, users): still in the session of the first day,
    between sessions by context, and within a session by the context in which it began.
    """
    users = np.arange(len(standing.state))
    context = _CONTEXT_OF[standing.state]
    weights = np.zeros((1 + 2 * _N_CONTEXTS, len(users)))
    weights[0] = standing.is_in_session
    weights[1 + context, users] = ~standing.is_in_session
    by_day = []
    for day, table in zip(days, tables, strict=True):
        rates = _rates(table, standing)
        for part in range(_STEPS_A_DAY):
            hour = day * 24 + part * 24 // _STEPS_A_DAY
            starting = activity_rates(np.array([hour]))[0] / standing.session_gap
            weights = rates.advance(weights, starting, DAY_S / _STEPS_A_DAY)
        by_day.append(1.0 - weights.sum(axis=0))
    return np.stack(by_day)


@dataclass(frozen=True)
class _Rates:
    """How fast sessions end on a day, and in which context; times a second.

    Attributes:
        first: rate at which the session of the first day ends, shape (users,).
        first_ends: chance of each context at its end, shape (contexts, users).
        session: rate at which a session ends by the context it began in, (contexts, users).
        ends: chance of each context at its end, shape (contexts, contexts).
    """

    first: Floats
    first_ends: Floats
    session: Floats
    ends: Floats

    def _change(self, weights: Floats, starting: Floats) -> Floats:
        """Give the weights' change a second; `starting` is the rate at which sessions begin."""
        between, within = weights[1 : 1 + _N_CONTEXTS], weights[1 + _N_CONTEXTS :]
        first, begun, ended = weights[0] * self.first, between * starting, within * self.session
        idle = first * self.first_ends + self.ends.T @ ended - begun
        return np.concatenate([-first[None], idle, begun - ended])

    def advance(self, weights: Floats, starting: Floats, seconds: float) -> Floats:
        """Take one Runge-Kutta step of fourth order."""
        k1 = self._change(weights, starting)
        k2 = self._change(weights + 0.5 * seconds * k1, starting)
        k3 = self._change(weights + 0.5 * seconds * k2, starting)
        k4 = self._change(weights + seconds * k3, starting)
        moved: Floats = weights + seconds / 6.0 * (k1 + 2.0 * k2 + 2.0 * k3 + k4)
        return moved


def _rates(table: SessionTable, standing: Standing) -> _Rates:
    """Look up the rates of users' sessions at their own gaps."""
    first = _interpolate(table.seconds, standing.event_gap, standing.state)
    opened = [
        _interpolate(table.opened_seconds, standing.event_gap, np.full(len(first), context))
        for context in range(_N_CONTEXTS)
    ]
    return _Rates(
        first=1.0 / (first + SESSION_FLOOR_S),
        first_ends=table.ends[standing.state].T,
        session=1.0 / (np.stack(opened) + SESSION_FLOOR_S),
        ends=table.opened_ends,
    )
