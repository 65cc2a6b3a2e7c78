"""One step of many users together: where each goes next, and when.

Timing of an event: a page that answers with a redirect (307) comes 1 s after the page before
it; a song starts when the song before it ends, int(length) s after its own start; any other
event comes after an exponential gap. A session that ends is followed by the first event of
the user's next one.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Final

import numpy as np

from churn_spark.arrays import Bools, Floats, Ints
from churn_spark.contracts.pages import Page
from churn_spark.simulate.clock import SESSION_FLOOR_S, session_starts
from churn_spark.simulate.pages import (
    CONTEXTS,
    N_STATES,
    PAGES,
    REDIRECT_PAGES,
    context_after,
    state_of,
    unpack_state,
)
from churn_spark.simulate.personas import END_STATE, MoveTable

NO_SONG: Final = -1
DRAWS_A_STEP: Final = 4  # next page, gap, first page of a session, song

_PAGE_OF_STATE: Final = [unpack_state(state)[2] for state in range(N_STATES)]
_SONG_PAGE: Final = PAGES.index(Page.NEXT_SONG)
_IS_SONG: Final = np.array([page == Page.NEXT_SONG for page in _PAGE_OF_STATE])
_IS_REDIRECT: Final = np.array([page in REDIRECT_PAGES for page in _PAGE_OF_STATE])
_IS_CANCEL: Final = np.array([page == Page.CANCEL for page in _PAGE_OF_STATE])
IS_GONE: Final = np.array([page == Page.CANCELLATION_CONFIRMATION for page in _PAGE_OF_STATE])
# Somebody who has made up their mind takes at most this long from page to page.
_LEAVING_GAP_S: Final = 60.0


def _way_out(state: int) -> int:
    """Give the next state on the shortest way from a state to the Cancellation Confirmation."""
    auth, level, page = unpack_state(state)
    if auth == "Cancelled" or page == Page.CANCEL:
        return state_of("Cancelled", level, Page.CANCELLATION_CONFIRMATION)
    if page in (Page.LOGIN, Page.SUBMIT_REGISTRATION):
        return state_of("Logged In", level, Page.HOME)
    if auth == "Guest":
        return state_of(
            auth, level, Page.SUBMIT_REGISTRATION if page == Page.REGISTER else Page.REGISTER
        )
    if auth == "Logged Out":
        return state_of(auth, level, Page.LOGIN)
    door = Page.DOWNGRADE if level == "paid" else Page.SETTINGS
    return state_of("Logged In", level, Page.CANCEL if page == door else door)


def _front_door(state: int) -> int:
    """Give the state in which somebody comes back after a page: Home, as whom it left them."""
    context = context_after(*unpack_state(state))
    return state_of(*context, Page.HOME) if context in CONTEXTS else state


_FRONT_DOOR: Final = np.array([_front_door(state) for state in range(N_STATES)])
_WAY_OUT: Final = np.array([_way_out(state) for state in range(N_STATES)])


@dataclass(frozen=True)
class Lives:
    """Where each user stands: the last event, and what follows from it; shape (users,).

    Attributes:
        row: position of the user in the population.
        n_steps: events so far, those of the warm-up included.
        ts: time of the last event, epoch seconds.
        state: its state, see `pages.unpack_state`.
        session: ordinal of its session among the user's own, from 0; -1 before the first.
        item: its position within the session, from 0.
        song: its song, `NO_SONG` on other pages.
        song_end: when the last song of the session ends, epoch seconds.
        pace: what the pause to the next session is multiplied by, as of the event's day.
    """

    row: Ints
    n_steps: Ints
    ts: Ints
    state: Ints
    session: Ints
    item: Ints
    song: Ints
    song_end: Ints
    pace: Floats

    def take(self, rows: Ints | Bools) -> Lives:
        """Give the lives at these positions, or where the mask is true."""
        return Lives(*(getattr(self, field.name)[rows] for field in fields(self)))


@dataclass(frozen=True)
class Habits:
    """What a step needs to know of each life; shape (lives,).

    Attributes:
        table: which row of the move table the life follows.
        event_gap: mean seconds between two page visits.
        session_gap: mean seconds from the end of a session, plus 30 min, to the next.
        cancels_at: when the user goes to the site to cancel, epoch seconds; far in the future
            for the others.
    """

    table: Ints
    event_gap: Floats
    session_gap: Floats
    cancels_at: Ints


@dataclass(frozen=True)
class Rules:
    """What every step needs besides the lives themselves; `start` is epoch seconds."""

    moves: MoveTable
    openers: MoveTable
    lengths: Ints
    start: int


def _lookup(table: MoveTable, first: Ints | int, second: Ints, draws: Floats) -> Ints:
    """Draw next states from the rows [first, second] of a table."""
    choice = (table.cumulative[first, second] <= draws[:, None]).sum(axis=1)
    found: Ints = table.targets[first, second, choice]
    return found


def _leave(lives: Lives, moved: Lives, habits: Habits, draws: Floats) -> Lives:
    """Put those whose time to cancel has come on their way out."""
    is_leaving = moved.ts >= habits.cancels_at
    if not is_leaving.any():
        return moved
    begins = lives.ts < habits.cancels_at
    state = np.where(begins, _FRONT_DOOR[lives.state], _WAY_OUT[lives.state])
    gap = np.where(_IS_REDIRECT[state], 1, 1 + (draws[1] * _LEAVING_GAP_S).astype(np.int64))
    ts = np.where(begins, np.maximum(habits.cancels_at, lives.ts + gap), lives.ts + gap)
    opens = ts - lives.ts >= SESSION_FLOOR_S
    left = Lives(
        row=lives.row,
        n_steps=moved.n_steps,
        ts=ts,
        state=state,
        session=lives.session + opens,
        item=np.where(opens, 0, lives.item + 1),
        song=np.full_like(lives.song, NO_SONG),
        song_end=np.where(opens, 0, lives.song_end),
        pace=lives.pace,
    )
    return Lives(
        *(
            np.where(is_leaving, getattr(left, field.name), getattr(moved, field.name))
            for field in fields(Lives)
        )
    )


def step(lives: Lives, habits: Habits, draws: Floats, songs: Ints, rules: Rules) -> Lives:
    """Give every life's next event.

    Args:
        lives: where they stand.
        habits: how they behave, of the same lives.
        draws: shape (DRAWS_A_STEP, lives).
        songs: what each would listen to, shape (lives,).
        rules: of the world.

    Returns:
        The lives after the event; `lives` itself is unchanged.
    """
    state = _lookup(rules.moves, habits.table, lives.state, draws[0])
    # Users that the log finds at its start haven't cancelled in the warm-up before it.
    early = _IS_CANCEL[state] & (lives.ts < rules.start)
    state = np.where(early, lives.state // len(PAGES) * len(PAGES) + _SONG_PAGE, state)
    is_song, is_end = _IS_SONG[state], state == END_STATE
    gap = (-np.log1p(-draws[1]) * habits.event_gap).astype(np.int64)
    gap[_IS_REDIRECT[state]] = 1
    waits = is_song & (lives.ts < lives.song_end)
    moved = Lives(
        row=lives.row,
        n_steps=lives.n_steps + 1,
        ts=np.where(waits & ~is_end, lives.song_end, lives.ts + gap),
        state=state,
        session=lives.session + is_end,
        item=np.where(is_end, 0, lives.item + 1),
        song=lives.song,
        song_end=np.where(is_end, 0, lives.song_end),
        pace=lives.pace,
    )
    opening = np.flatnonzero(is_end)
    if len(opening):
        pause = -np.log1p(-draws[1, opening]) * (habits.session_gap * lives.pace)[opening]
        moved.ts[opening] = session_starts(lives.ts[opening] + SESSION_FLOOR_S, pause)
        context = lives.state[opening] // len(PAGES)
        moved.state[opening] = _lookup(rules.openers, 0, context, draws[2, opening])
        is_song = _IS_SONG[moved.state]
    moved = replace(
        moved,
        song=np.where(is_song, songs, NO_SONG),
        song_end=np.where(is_song, moved.ts + rules.lengths[songs], moved.song_end),
    )
    return _leave(lives, moved, habits, draws)
