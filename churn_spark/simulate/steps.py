"""One step of all users together: where each goes next, and when.

Timing of an event: a page that answers with a redirect (307) comes 1 s after the page before
it; a song starts when the song before it ends, int(length) s after its own start; any other
event comes after an exponential gap. A session that ends is followed by the first event of
the user's next one.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final

import numpy as np
import numpy.typing as npt

from churn_spark.simulate.clock import SESSION_FLOOR_S, session_starts
from churn_spark.simulate.draws import Floats
from churn_spark.simulate.pages import N_STATES, PAGES, REDIRECT_PAGES, unpack_state
from churn_spark.simulate.personas import END_STATE, MoveTable

Ints = npt.NDArray[np.int64]

NO_SONG: Final = -1
DRAWS_A_STEP: Final = 4  # next page, gap, first page of a session, song

_PAGE_OF_STATE: Final = [unpack_state(state)[2] for state in range(N_STATES)]
_SONG_PAGE: Final = PAGES.index("NextSong")
_IS_SONG: Final = np.array([page == "NextSong" for page in _PAGE_OF_STATE])
_IS_REDIRECT: Final = np.array([page in REDIRECT_PAGES for page in _PAGE_OF_STATE])
_IS_CANCEL: Final = np.array([page == "Cancel" for page in _PAGE_OF_STATE])
IS_GONE: Final = np.array([page == "Cancellation Confirmation" for page in _PAGE_OF_STATE])


@dataclass(frozen=True)
class Events:
    """Events as columns, all of shape (events,); one user's events are in time order.

    Attributes:
        user: user number.
        ts: epoch seconds.
        state: see `pages.unpack_state`.
        session: ordinal of the session among the user's own, from 0.
        item: position within the session, from 0.
        song: song number, `NO_SONG` on other pages.
    """

    user: Ints
    ts: Ints
    state: Ints
    session: Ints
    item: Ints
    song: Ints

    def take(self, rows: npt.NDArray[np.int64] | npt.NDArray[np.bool_]) -> Events:
        """Give the events at these positions, or where the mask is true.

        Raises:
            IndexError: if a position is out of range.
        """
        return Events(*(getattr(self, field.name)[rows] for field in fields(self)))


@dataclass
class Lives:
    """Where each user that is still stepped stands; arrays of shape (users left,)."""

    number: Ints
    persona: Ints
    event_gap: Floats
    session_gap: Floats
    ts: Ints
    state: Ints
    session: Ints
    item: Ints
    song: Ints
    song_end: Ints

    def keep(self, mask: npt.NDArray[np.bool_]) -> None:
        """Drop the lives where the mask, of shape (users left,), is false.

        Raises:
            IndexError: if the mask has another shape.
        """
        for field in fields(self):
            setattr(self, field.name, getattr(self, field.name)[mask])

    def row(self) -> Events:
        """Copy the present events: the arrays are written to by the next step."""
        return Events(
            self.number, self.ts.copy(), self.state, self.session.copy(), self.item, self.song
        )


@dataclass(frozen=True)
class Rules:
    """What every step needs besides the lives themselves."""

    moves: MoveTable
    openers: MoveTable
    lengths: Ints
    start: int
    end: int


def _lookup(table: MoveTable, first: Ints | int, second: Ints, draws: Floats) -> Ints:
    """Draw next states from the rows [first, second] of a table."""
    choice = (table.cumulative[first, second] <= draws[:, None]).sum(axis=1)
    found: Ints = table.targets[first, second, choice]
    return found


def _open_sessions(lives: Lives, opening: Ints, draws: Floats, rules: Rules) -> Ints:
    """Move the lives at positions `opening` to a new session; give their first states."""
    gaps = -np.log1p(-draws[1, opening]) * lives.session_gap[opening]
    lives.ts[opening] = session_starts(lives.ts[opening] + SESSION_FLOOR_S, gaps)
    lives.session[opening] += 1
    lives.item[opening] = 0
    lives.song_end[opening] = 0
    context = lives.state[opening] // len(PAGES)
    return _lookup(rules.openers, 0, context, draws[2, opening])


def step(lives: Lives, draws: Floats, songs: Ints, rules: Rules) -> None:
    """Move every life on by one event; `draws` has shape (4, users left)."""
    state = _lookup(rules.moves, lives.persona, lives.state, draws[0])
    # Users that the log finds at its start haven't cancelled in the warm-up before it.
    early = _IS_CANCEL[state] & (lives.ts < rules.start)
    state = np.where(early, lives.state // len(PAGES) * len(PAGES) + _SONG_PAGE, state)
    is_song, is_end = _IS_SONG[state], state == END_STATE
    gap = (-np.log1p(-draws[1]) * lives.event_gap).astype(np.int64)
    gap[_IS_REDIRECT[state]] = 1
    waits = is_song & (lives.ts < lives.song_end)
    lives.item = lives.item + 1
    lives.ts = np.where(is_end, lives.ts, np.where(waits, lives.song_end, lives.ts + gap))
    opening = np.flatnonzero(is_end)
    if len(opening):
        state[opening] = _open_sessions(lives, opening, draws, rules)
        is_song = _IS_SONG[state]
    lives.song = np.where(is_song, songs, NO_SONG)
    lives.song_end = np.where(is_song, lives.ts + rules.lengths[songs], lives.song_end)
    lives.state = state
