"""One user through time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import pandas as pd

from churn_spark.contracts.tables import (
    RETENTION_LISTS,
    SCORES,
    SESSION_DAYS,
    SNAPSHOTS,
    TableSpec,
)
from churn_spark.errors import InputError
from churn_spark.lakehouse.readable import ReadableLakehouse

_MICROS_A_MINUTE: Final = 60_000_000


@dataclass(frozen=True)
class User:
    """What the lakehouse knows of one user.

    Attributes:
        user_id: as the tables have it; a pseudonym where these are switched on.
        sessions: the user's rows of `silver.session_days`, oldest first.
        snapshots: the stored features as of each date, oldest first.
        scores: what nights have said of the user, oldest first.
        lists: the nights on whose list the user was or would have been, oldest first.
    """

    user_id: str
    sessions: pd.DataFrame
    snapshots: pd.DataFrame
    scores: pd.DataFrame
    lists: pd.DataFrame

    @staticmethod
    def find(lakehouse: ReadableLakehouse, user_id: str) -> User:
        """A user of a lakehouse.

        Of tables that no step has written yet there are no rows.

        Raises:
            InputError: if the log has no such user.
        """

        def rows_of(spec: TableSpec, *order: str) -> pd.DataFrame:
            rows = lakehouse.read_rows(spec, {"user_id": [user_id]})
            return rows.sort_values([*order], ignore_index=True)

        sessions = rows_of(SESSION_DAYS, "event_date", "session_id")
        if sessions.empty:
            raise InputError(
                f"found no user {user_id!r} in {lakehouse.root}, expected an id that the log has: "
                "table('silver.session_days').select('user_id') lists them"
            )
        return User(
            user_id,
            sessions,
            rows_of(SNAPSHOTS, "as_of"),
            rows_of(SCORES, "as_of", "model_version"),
            rows_of(RETENTION_LISTS, "as_of"),
        )

    @property
    def cancelled_at(self) -> pd.Timestamp | None:
        """The instant of the first confirmed cancellation, UTC; none for who has not cancelled."""
        found = self.sessions["cancel_ts"].min()
        return None if pd.isna(found) else found

    def days(self) -> pd.DataFrame:
        """What the user did on each date with events.

        Columns: sessions, songs, minutes (of music), thumbs_up, thumbs_down, adverts, downgrades
        (visits of that page) and level (the last of the day); the index is the UTC date.
        """
        newest = self.sessions.sort_values("level_seen").groupby("event_date")["level"].last()
        by_day = self.sessions.groupby("event_date")
        sums = by_day.agg(
            sessions=("session_id", "nunique"),
            songs=("n_songs", "sum"),
            minutes=("listened_micros", "sum"),
            thumbs_up=("n_thumbs_up", "sum"),
            thumbs_down=("n_thumbs_down", "sum"),
            adverts=("n_roll_advert", "sum"),
            downgrades=("n_downgrade", "sum"),
        )
        minutes = sums["minutes"] / _MICROS_A_MINUTE
        days = sums.assign(minutes=minutes, level=newest)
        return days.set_index(pd.DatetimeIndex(days.index, name="date"))
