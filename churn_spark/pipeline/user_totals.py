"""Silver `session_days` -> totals of users before a cut and the days since, as snapshots read."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

import polars as pl

from churn_spark.contracts.features.sources import SOURCES_FINGERPRINT
from churn_spark.contracts.features.spec import ASKED
from churn_spark.contracts.tables import SESSION_DAYS, USER_TOTALS
from churn_spark.features.local.totals import add_days, no_totals
from churn_spark.lakehouse.selection import Between
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.pipeline.kept_totals import KeptTotals

KEPT: Final = KeptTotals(USER_TOTALS, SESSION_DAYS, SOURCES_FINGERPRINT, no_totals, add_days)

_DAYS_OF_A_USER: Final = 20
"""Session days that a user has in nine weeks, at most as a rule: 17 in simulated logs."""

_USERS_EVER_SEEN: Final = 5
"""For each that the population may have: totals are kept of those too who left long ago."""


@dataclass(frozen=True)
class UserHistory:
    """What users did before a date: the newest days, and totals of those before.

    Attributes:
        session_days: from the totals' cut on.
        totals: of the days before; of nobody where there are none.
    """

    session_days: pl.DataFrame
    totals: pl.DataFrame


def are_few_days(lakehouse: Lakehouse, as_of_dates: Collection[date]) -> bool:
    """Whether the session days that snapshots as of the dates are made of fit in this process."""
    if not lakehouse.is_native:
        return False
    cut, most = cut_before(min(as_of_dates)), lakehouse.max_local_users
    where = {"event_date": Between(cut, max(as_of_dates))}
    return (
        lakehouse.count_rows(SESSION_DAYS, where) <= most * _DAYS_OF_A_USER
        and KEPT.count(lakehouse, cut) <= most * _USERS_EVER_SEEN
    )


def read_history(lakehouse: Lakehouse, as_of_dates: Collection[date]) -> UserHistory:
    """All that snapshots as of the dates are made of."""
    cut = cut_before(min(as_of_dates))
    totals = KEPT.read(lakehouse, cut)
    return UserHistory(KEPT.read_days(lakehouse, cut, max(as_of_dates)), totals)


def cut_before(as_of: date) -> date:
    """The newest Monday that no window of a date begins before."""
    last = as_of - timedelta(days=ASKED.longest_days)
    return last - timedelta(days=last.weekday())
