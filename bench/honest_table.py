"""An honest feature table of a simulated log, in plain pandas: what the checks must pass.

Its features are counted from the events, so that a leak can be counted from them the wrong way.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import date
from typing import Any, Final

import numpy as np
import pandas as pd

from bench.leak_log import LeakLog, start_of
from churn_spark.arrays import Bools, Floats
from churn_spark.leakage.table import KEY, TEST, TRAIN, FeatureTable, Rebuilds
from churn_spark.simulate.settings import DAY_S
from churn_spark.timeline import Horizon, days_after

HORIZON: Final = Horizon(days=14, gap_days=1)
TRAIN_DATES: Final = (date(2018, 10, 15), date(2018, 10, 22))
# The label window of the last training date ends on the day before the gap before this one.
TEST_DATE: Final = date(2018, 11, 7)
BEFORE_TEST: Final = date(2018, 10, 31)
ACTIVE_DAYS: Final = 60
TEST_SHARE: Final = 0.4
TRENDING: Final = frozenset(
    ("tenure_days", "exposure_days", "total_songs_played", "num_thumbs_up", "num_thumbs_down")
) | frozenset(("num_friends", "num_downgrades", "num_adverts", "num_help"))
_COUNTED: Final = {
    "thumbs_up": "Thumbs Up",
    "thumbs_down": "Thumbs Down",
    "friends": "Add Friend",
    "adverts": "Roll Advert",
    "downgrades": "Downgrade",
    "help": "Help",
}


def unripe_date(log_end: date) -> date:
    """A date whose label window the log doesn't reach."""
    return days_after(log_end, -5)


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
        # Not `pd.to_datetime(unit="s")`: pandas 2.2 rounds unset memory where a number is missing,
        # and now and then that overflows.
        instants = np.nan_to_num(seconds).astype("datetime64[s]").astype("datetime64[ns]")
        spans[name] = pd.Series(instants).mask(np.isnan(seconds))
    return spans[spans["first_ts"].notna()]


def population_of(log: LeakLog, as_of: date) -> Bools:
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
        "total_songs_played": songs,
        "hours_since_last_event": (begin - log.latest(before)) / 3600,
        "level": log.level_at_last(before),
        "paid_share": log.count(before & log.is_paid) / np.maximum(log.count(before), 1),
        **{name: log.users[name].to_numpy() for name in ("gender", "os")},
        "location": log.users["state"].to_numpy(),
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


def build_seen(log: LeakLog, as_of: date) -> pd.DataFrame:
    """Everybody with honest features as of a date, those too who are gone; no labels."""
    keyed = pd.DataFrame({"as_of": as_of, "user_id": log.users["user_id"]})
    return pd.concat([keyed, build_features(log, as_of)], axis=1)


def build_rows(log: LeakLog, as_of: date) -> pd.DataFrame:
    """The population of a date with honest features; no labels yet."""
    return build_seen(log, as_of)[population_of(log, as_of)]


def build_labels(log: LeakLog, as_of: date) -> Floats:
    """Label of each user, in the order of `log.users`; null for a cancellation in the gap."""
    cancelled = log.earliest(log.is_page("Cancellation Confirmation"))
    first, end = start_of(HORIZON.start(as_of)), start_of(HORIZON.end(as_of))
    label = ((cancelled >= first) & (cancelled < end)).astype(float)
    label[(cancelled >= start_of(as_of)) & (cancelled < first)] = np.nan
    return label


def side_of(user_id: str) -> str:
    """Train or test, by the user alone."""
    digest = hashlib.sha256(f"7:{user_id}".encode()).hexdigest()
    return TEST if int(digest[:8], 16) / 2**32 < TEST_SHARE else TRAIN


def label_rows(log: LeakLog, rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of one date with `label` and `split`."""
    labels = dict(zip(log.users["user_id"], build_labels(log, rows["as_of"].iloc[0]), strict=True))
    return rows.assign(
        label=rows["user_id"].map(labels), split=[side_of(user) for user in rows["user_id"]]
    )


def choose_rows(log: LeakLog, built: Mapping[date, pd.DataFrame]) -> pd.DataFrame:
    """Labelled rows: train users on the train dates, the others on the test date."""
    labelled = {day: label_rows(log, rows) for day, rows in built.items()}
    chosen = [
        rows[rows["split"] == (TEST if day == TEST_DATE else TRAIN)]
        for day, rows in labelled.items()
    ]
    return pd.concat(chosen, ignore_index=True)


def build_honest_table(log: LeakLog, poisoned: Mapping[date, LeakLog]) -> FeatureTable:
    """Train users on the train dates, the others on the test date.

    Args:
        log: the events.
        poisoned: date -> the log with its future changed.
    """
    built = {day: build_rows(log, day) for day in (*TRAIN_DATES, TEST_DATE)}
    rows = choose_rows(log, built)
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
