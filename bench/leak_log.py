"""A simulated log in memory, and the same log with everything from a date on changed."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from churn_spark.arrays import Bools, Floats, Ints
from churn_spark.simulate.blocks import events_path, simulate_block
from churn_spark.simulate.pages import N_STATES, unpack_state
from churn_spark.simulate.population import build_profiles, count_blocks
from churn_spark.simulate.settings import DAY_S, SimulationSettings
from churn_spark.simulate.states import BlockState
from churn_spark.timeline import day_number

SETTINGS: Final = SimulationSettings(users=1500, start=date(2018, 10, 1), days=53)

_AUTH, _LEVEL, _PAGE = (
    np.array(parts) for parts in zip(*map(unpack_state, range(N_STATES)), strict=True)
)
HAS_ID: Final = np.isin(_AUTH, ["Logged In", "Cancelled"])


@dataclass(frozen=True)
class LeakLog:
    """Events with a user, ordered by user, time and item; columns of shape (events,).

    Attributes:
        user: row of `users`.
        ts: epoch seconds.
        state: auth, level and page as one number.
        users: `user_id`, `registered` (epoch seconds), `gender`, `state`, `os`; one row a user.
        start: first day.
        end: the day after the last one.
    """

    user: Ints
    ts: Ints
    state: Ints
    users: pd.DataFrame
    start: date
    end: date

    def is_page(self, *pages: str) -> Bools:
        """Which events are visits of one of the pages."""
        found: Bools = np.isin(_PAGE, pages)[self.state]
        return found

    @property
    def is_cancelled(self) -> Bools:
        """Which events have the auth of somebody who has cancelled."""
        found: Bools = (_AUTH == "Cancelled")[self.state]
        return found

    @property
    def is_paid(self) -> Bools:
        """Which events are at the paid level."""
        found: Bools = (_LEVEL == "paid")[self.state]
        return found

    def during(self, first: float, end: float) -> Bools:
        """Which events are in `[first, end)`, epoch seconds."""
        return (self.ts >= first) & (self.ts < end)

    def count(self, chosen: Bools) -> Ints:
        """Chosen events of each user."""
        return np.bincount(self.user[chosen], minlength=len(self.users))

    def earliest(self, chosen: Bools) -> Floats:
        """Time of each user's first chosen event; NaN without one."""
        found = np.full(len(self.users), np.nan)
        # Of several writes to one place the last one stays.
        found[self.user[chosen][::-1]] = self.ts[chosen][::-1]
        return found

    def latest(self, chosen: Bools) -> Floats:
        """Time of each user's last chosen event; NaN without one."""
        found = np.full(len(self.users), np.nan)
        found[self.user[chosen]] = self.ts[chosen]
        return found

    def level_at_last(self, chosen: Bools) -> npt.NDArray[np.object_]:
        """Level at each user's last chosen event; None without one."""
        found = np.full(len(self.users), None, dtype=object)
        found[self.user[chosen]] = np.where(self.is_paid[chosen], "paid", "free")
        return found


def start_of(day: date) -> int:
    """Epoch seconds at which a date begins."""
    return day_number(day) * DAY_S


def simulate_leak_log(settings: SimulationSettings) -> LeakLog:
    """Live the days of a world and keep the events in memory."""
    rows, people = [], []
    n_users = 0
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        work = out / "work"
        (work / "world").mkdir(parents=True)
        for block in range(count_blocks(settings)):
            simulate_block(settings, settings.period, out, work, None, (), block)
            lived = np.load(events_path(work, block))
            lived = lived[HAS_ID[lived["state"]] & (lived["ts"] < settings.period.end_ts)]
            population = BlockState.load(work / "world", block).population
            profiles = build_profiles(settings.seed, population.number)
            lived["row"] += n_users
            n_users += len(population.number)
            rows.append(lived)
            people.append(
                pd.DataFrame(
                    {
                        "user_id": profiles.user_ids,
                        "registered": population.registered,
                        "gender": profiles.genders,
                        "state": [place.rpartition(", ")[2][:2] for place in profiles.locations],
                        "os": [_os_of(agent) for agent in profiles.user_agents],
                    }
                )
            )
    events = np.concatenate(rows)
    events = events[np.lexsort((events["item"], events["ts"], events["row"]))]
    return LeakLog(
        user=events["row"].astype(np.int64),
        ts=events["ts"].astype(np.int64),
        state=events["state"].astype(np.int64),
        users=pd.concat(people, ignore_index=True),
        start=settings.start,
        end=settings.period.end,
    )


def poison(log: LeakLog, as_of: date) -> LeakLog:
    """The log with everything at or after a date changed, and nothing before it.

    A third of the users lose their later events, a third have them twice and at the other level,
    and a third have other pages in them, then come back once to downgrade and to cancel.
    """
    begin = start_of(as_of)
    later, kind = log.ts >= begin, log.user % 3
    doubled, turned = later & (kind == 1), later & (kind == 2)
    other_level = np.array(
        [_state(auth, _OTHER_LEVEL[level], page) for auth, level, page in _STATES]
    )
    other_page = np.array(
        [_state(auth, level, _OTHER_PAGE.get(page, "NextSong")) for auth, level, page in _STATES]
    )
    visits = [
        _state("Logged In", "paid", page)
        for page in (*["NextSong"] * 5, "Submit Downgrade", "Home", "Cancel")
    ]
    visits.append(_state("Cancelled", "free", "Cancellation Confirmation"))
    guests = np.flatnonzero(np.arange(len(log.users)) % 3 == 2)
    kept = ~later | turned
    state = np.where(turned, other_page[log.state], log.state)
    user = np.concatenate(
        [log.user[kept], *[log.user[doubled]] * 2, np.repeat(guests, len(visits))]
    )
    ts = np.concatenate(
        [
            log.ts[kept],
            log.ts[doubled],
            log.ts[doubled] + 1,
            np.tile(begin + 3 * DAY_S + 60 * np.arange(len(visits)), len(guests)),
        ]
    )
    states = np.concatenate(
        [state[kept], *[other_level[log.state[doubled]]] * 2, np.tile(visits, len(guests))]
    )
    order = np.lexsort((ts, user))
    return replace(log, user=user[order], ts=ts[order], state=states[order])


def _os_of(agent: str) -> str:
    return next((name for name in ("Windows", "iPhone", "Macintosh") if name in agent), "other")


def _state(auth: str, level: str, page: str) -> int:
    return _STATES.index((auth, level, page)) if (auth, level, page) in _STATES else 0


_STATES: Final = [unpack_state(state) for state in range(N_STATES)]
_OTHER_LEVEL: Final = {"free": "paid", "paid": "free"}
_OTHER_PAGE: Final = {"NextSong": "Thumbs Down", "Thumbs Up": "Help", "Roll Advert": "Downgrade"}
