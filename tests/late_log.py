"""A log of which a user's events come late, and the dates whose snapshots they change."""

from __future__ import annotations

from datetime import timedelta

import polars as pl

from churn_spark.config import LearningConfig, load_config
from churn_spark.contracts.tables import SESSION_DAYS
from churn_spark.lakehouse.tables import Lakehouse
from tests.session_days import START, instant, session_days_of

SCORED, UNSCORED = START + timedelta(days=60), START + timedelta(days=67)
DATES = (SCORED, UNSCORED)
N_DAYS = 90


def learning(*overrides: str) -> LearningConfig:
    return load_config(overrides=overrides).learning


def log_of(users: str) -> pl.DataFrame:
    """Users who are there on every second day; a late one of them cancels on the 70th."""
    rows = [
        {
            "user_id": user,
            "session_id": number,
            "event_date": day,
            "n_events": 3,
            "n_songs": 2,
            "last_ts": instant(day, 2),
            "cancel_ts": instant(day, 3) if (user, number) == ("c", 70) else None,
        }
        for user in users
        for number in range(0, N_DAYS, 2)
        for day in [START + timedelta(days=number)]
    ]
    return session_days_of(rows)


def deliver(lakehouse: Lakehouse, users: str) -> None:
    log = log_of(users)
    lakehouse.replace_rows(log.to_arrow(), SESSION_DAYS, {"event_date": {*log["event_date"]}})
