"""A simulated log small enough for memory, and an honest feature table of it in plain pandas.

The honest table is what the leak checks must be silent about, and what leaks are planted in. Its
features are counted from the events, so that a leak can be counted from them in the wrong way.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from churn_spark.models.leakage.table import KEY, TEST, TRAIN, FeatureTable, Rebuilds
from churn_spark.models.splits import user_bucket
from churn_spark.simulate.blocks import events_path, simulate_block
from churn_spark.simulate.pages import N_STATES, unpack_state
from churn_spark.simulate.population import build_profiles, count_blocks
from churn_spark.simulate.settings import DAY_S, SimulationSettings, day_number
from churn_spark.simulate.states import BlockState
from churn_spark.timeline import Horizon

Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]

HORIZON: Final = Horizon(days=14, gap_days=1)
TRAIN_DATES: Final = (date(2018, 10, 15), date(2018, 10, 22))
# The label window of the last training date ends on the day before the gap before this one.
TEST_DATE: Final = date(2018, 11, 7)
SETTINGS: Final = SimulationSettings(users=1500, start=date(2018, 10, 1), days=53)
ACTIVE_DAYS: Final = 60
TEST_SHARE: Final = 0.4
TRENDING: Final = frozenset(
    ("tenure_days", "exposure_days", "total_songs", "num_thumbs_up", "num_thumbs_down")
) | frozenset(("num_friends", "num_downgrades", "num_adverts", "num_help"))

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

    def is_page(self, *pages: str) -> Mask:
        """Which events are visits of one of the pages."""
        return np.isin(_PAGE, pages)[self.state]

    @property
    def is_cancelled(self) -> Mask:
        """Which events have the auth of somebody who has cancelled."""
        return (_AUTH == "Cancelled")[self.state]

    @property
    def is_paid(self) -> Mask:
        """Which events are at the paid level."""
        return (_LEVEL == "paid")[self.state]

    def during(self, first: float, end: float) -> Mask:
        """Which events are in `[first, end)`, epoch seconds."""
        return (self.ts >= first) & (self.ts < end)

    def count(self, chosen: Mask) -> Ints:
        """Chosen events of each user."""
        return np.bincount(self.user[chosen], minlength=len(self.users))

    def earliest(self, chosen: Mask) -> Floats:
        """Time of each user's first chosen event; NaN without one."""
        found = np.full(len(self.users), np.nan)
        # Of several writes to one place the last one stays.
        found[self.user[chosen][::-1]] = self.ts[chosen][::-1]
        return found

    def latest(self, chosen: Mask) -> Floats:
        """Time of each user's last chosen event; NaN without one."""
        found = np.full(len(self.users), np.nan)
        found[self.user[chosen]] = self.ts[chosen]
        return found

    def level_at_last(self, chosen: Mask) -> npt.NDArray[np.object_]:
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
            simulate_block(settings, settings.period, out, work, None, block)
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
    other_level = np.array([_state(a, "free" if l == "paid" else "paid", p) for a, l, p in _STATES])
    other_page = np.array([_state(a, l, _OTHER_PAGE.get(p, "NextSong")) for a, l, p in _STATES])
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


def build_spans(log: LeakLog, as_of: date) -> pd.DataFrame:
    """The instants that the leak checks ask for, of every user with an event before the date."""
    before, everything = log.ts < start_of(as_of), np.ones(len(log.ts), dtype=bool)
    times = {
        "registered_ts": log.users["registered"].to_numpy(dtype=float),
        "first_ts": log.earliest(before),
        "last_ts": log.latest(before),
        "next_ts": log.earliest(~before),
        "final_ts": log.latest(everything),
        "cancel_ts": log.earliest(log.is_page("Cancellation Confirmation")),
    }
    spans = pd.DataFrame({"as_of": as_of, "user_id": log.users["user_id"]})
    for name, seconds in times.items():
        spans[name] = pd.to_datetime(pd.Series(seconds), unit="s")
    return spans[spans["first_ts"].notna()]


def population_of(log: LeakLog, as_of: date) -> Mask:
    """Users with an event in the 60 days before the date who have not cancelled before it."""
    begin = start_of(as_of)
    active = log.count(log.during(begin - ACTIVE_DAYS * DAY_S, begin)) > 0
    cancelled = log.earliest(log.is_page("Cancellation Confirmation"))
    return active & ~(cancelled < begin)


def build_features(log: LeakLog, as_of: date) -> pd.DataFrame:
    """Honest features of every user, in the order of `log.users`; nothing at or after the date."""
    begin = start_of(as_of)
    before = log.ts < begin
    registered = log.users["registered"].to_numpy(dtype=float)
    songs = log.count(before & log.is_page("NextSong"))
    features: dict[str, Any] = {
        "tenure_days": (begin - registered) / DAY_S,
        "exposure_days": (begin - np.maximum(registered, start_of(log.start))) / DAY_S,
        "total_songs": songs,
        "hours_since_last_event": (begin - log.latest(before)) / 3600,
        "level": log.level_at_last(before),
        "paid_share": log.count(before & log.is_paid) / np.maximum(log.count(before), 1),
        **{name: log.users[name].to_numpy() for name in ("gender", "state", "os")},
    }
    for name, page in _COUNTED.items():
        visits = log.count(before & log.is_page(page))
        features[f"num_{name}"] = visits
        features[f"{name}_per_song"] = 1000 * (visits + 4) / (songs + 200)
    for days in (3, 14):
        recent = log.during(begin - days * DAY_S, begin)
        features[f"songs_{days}d"] = log.count(recent & log.is_page("NextSong"))
        features[f"adverts_{days}d"] = log.count(recent & log.is_page("Roll Advert"))
    features["songs_trend"] = (features["songs_3d"] + 1) / (features["songs_14d"] + 1)
    features["songs_a_day"] = (songs + 20) / (features["exposure_days"] + 2)
    return pd.DataFrame(features)


def build_rows(log: LeakLog, as_of: date) -> pd.DataFrame:
    """The population of a date with honest features; no labels yet."""
    keyed = pd.DataFrame({"as_of": as_of, "user_id": log.users["user_id"]})
    return pd.concat([keyed, build_features(log, as_of)], axis=1)[population_of(log, as_of)]


def build_labels(log: LeakLog, as_of: date) -> Floats:
    """Label of each user, in the order of `log.users`; null for a cancellation in the gap."""
    cancelled = log.earliest(log.is_page("Cancellation Confirmation"))
    first, end = start_of(HORIZON.start(as_of)), start_of(HORIZON.end(as_of))
    label = ((cancelled >= first) & (cancelled < end)).astype(float)
    label[(cancelled >= start_of(as_of)) & (cancelled < first)] = np.nan
    return label


def side_of(user_id: str) -> str:
    """Train or test, by the user alone."""
    return TEST if user_bucket(user_id, seed=7) < TEST_SHARE else TRAIN


def label_rows(log: LeakLog, rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of one date with `label` and `split`."""
    labels = dict(zip(log.users["user_id"], build_labels(log, rows["as_of"].iloc[0]), strict=True))
    return rows.assign(
        label=rows["user_id"].map(labels), split=[side_of(user) for user in rows["user_id"]]
    )


def build_honest_table(log: LeakLog, poisoned: Mapping[date, LeakLog]) -> FeatureTable:
    """Train users on the train dates, the others on the test date.

    Args:
        log: the events.
        poisoned: date -> the log with its future changed.
    """
    built = {day: build_rows(log, day) for day in (*TRAIN_DATES, TEST_DATE)}
    labelled = {day: label_rows(log, rows) for day, rows in built.items()}
    chosen = [
        rows[rows["split"] == (TEST if day == TEST_DATE else TRAIN)]
        for day, rows in labelled.items()
    ]
    rows = pd.concat(chosen, ignore_index=True)
    after = pd.concat([build_rows(poisoned[day], day) for day in built], ignore_index=True)
    return FeatureTable(
        rows=rows,
        features=tuple(c for c in rows.columns if c not in (*KEY, "label", "split")),
        horizon=HORIZON,
        log_end=log.end,
        trending=TRENDING,
        rebuilds=Rebuilds(pd.concat(built.values(), ignore_index=True), after),
        spans=pd.concat([build_spans(log, day) for day in built], ignore_index=True),
    )


def _os_of(agent: str) -> str:
    return next((name for name in ("Windows", "iPhone", "Macintosh") if name in agent), "other")


def _state(auth: str, level: str, page: str) -> int:
    return _STATES.index((auth, level, page)) if (auth, level, page) in _STATES else 0


_STATES: Final = [unpack_state(state) for state in range(N_STATES)]
_OTHER_PAGE: Final = {"NextSong": "Thumbs Down", "Thumbs Up": "Help", "Roll Advert": "Downgrade"}
_COUNTED: Final = {
    "thumbs_up": "Thumbs Up",
    "thumbs_down": "Thumbs Down",
    "friends": "Add Friend",
    "adverts": "Roll Advert",
    "downgrades": "Downgrade",
    "help": "Help",
}
