"""Session days of a few users -> what they did on each day before a date."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import pandas as pd

from churn_spark.contracts.tables import SESSION_DAYS
from churn_spark.evaluation.examples import EXAMPLE_DAYS
from churn_spark.lakehouse.selection import Between, Where
from churn_spark.lakehouse.tables import Lakehouse

_COUNTS: Final = {
    "n_songs": "n_songs",
    "n_adverts": "n_roll_advert",
    "n_downgrades": "n_downgrade",
}
_KEYS: Final = ["as_of", "user_id", "day"]


def read_timelines(lakehouse: Lakehouse, chosen: pd.DataFrame) -> pd.DataFrame:
    """The last days before each chosen row's date, summed up.

    Grain: (as_of, user_id, day); `day` is -1 for the day before the date, and only days with
    events have a row. At most `EXAMPLE_DAYS` rows for each of `chosen`, of none no row.

    Args:
        lakehouse: with the session days.
        chosen: as_of and user_id of a handful of users.
    """
    if chosen.empty:
        return pd.DataFrame(columns=[*_KEYS, "n_sessions", *_COUNTS])
    columns = ["user_id", "session_id", "event_date", *_COUNTS.values()]
    window = Between(
        min(chosen["as_of"]) - timedelta(days=EXAMPLE_DAYS),
        max(chosen["as_of"]) - timedelta(days=1),
    )
    where: Where = {"event_date": window, "user_id": [*chosen["user_id"]]}
    days = lakehouse.read_rows(SESSION_DAYS, where, columns)
    known = days.merge(chosen[["as_of", "user_id"]], on="user_id")
    ages = pd.to_datetime(known["event_date"]) - pd.to_datetime(known["as_of"])
    known = known.assign(day=ages.dt.days)
    sums = {name: (column, "sum") for name, column in _COUNTS.items()}
    return (
        known[known["day"].between(-EXAMPLE_DAYS, -1)]
        .groupby(_KEYS, as_index=False)
        .agg(n_sessions=("session_id", "nunique"), **sums)
    )
