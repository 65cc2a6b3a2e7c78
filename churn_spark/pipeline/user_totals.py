"""Silver `session_days` -> a user's totals before a cut, and the days since: what snapshots read.

Totals are kept for a few weekly cuts. Whether they still are those of the log is told by the
files of session days that they were made of: late events, which put others in their place, make
totals of an older cut the newest ones that hold, and they are extended from there.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from typing import Any, Final

import polars as pl

from churn_spark.contracts.features.sources import SOURCES_FINGERPRINT
from churn_spark.contracts.features.spec import ASKED
from churn_spark.contracts.tables import SESSION_DAYS, USER_TOTALS
from churn_spark.features.local.totals import add_days, no_totals
from churn_spark.hashing import content_hash
from churn_spark.lakehouse.selection import Between
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.timeline import days_after

N_KEPT: Final = 4
"""Cuts, the newest ones: the nights that are done again are those of the last weeks."""

_STEP_DAYS: Final = 56
"""Session days that are in memory at once when totals are made anew of a long log."""


@dataclass(frozen=True)
class UserHistory:
    """What users did before a date: the newest days, and totals of those before.

    Attributes:
        session_days: from the totals' cut on.
        totals: of the days before; of nobody where all days are among the session days.
    """

    session_days: pl.DataFrame
    totals: pl.DataFrame


def read_history(
    lakehouse: Lakehouse, as_of_dates: Collection[date], log_start: date
) -> UserHistory:
    """All that snapshots as of the dates are made of; extends the totals by the weeks since.

    Args:
        lakehouse: with the session days.
        as_of_dates: the dates.
        log_start: first date of the log.
    """
    cut = cut_before(min(as_of_dates))
    totals = no_totals() if cut <= log_start else _bring_to(lakehouse, cut, log_start)
    first = log_start if totals.is_empty() else cut
    return UserHistory(_read_days(lakehouse, first, max(as_of_dates)), totals)


def cut_before(as_of: date) -> date:
    """The newest Monday that no window of a date begins before."""
    last = as_of - timedelta(days=ASKED.longest_days)
    return last - timedelta(days=last.weekday())


def _bring_to(lakehouse: Lakehouse, cut: date, log_start: date) -> pl.DataFrame:
    """The totals before a cut, from the newest ones that hold; kept if no newer ones are."""
    files = lakehouse.data_files(SESSION_DAYS, "event_date")
    cuts = lakehouse.partition_values(USER_TOTALS, "before")
    totals = _newest_that_hold(lakehouse, [one for one in cuts if one <= cut], files)
    begin = log_start if totals.is_empty() else totals["before"][0]
    if begin == cut:
        return totals
    for first, end in pairwise([*_steps(begin, cut), cut]):
        days = _read_days(lakehouse, first, end)
        totals = add_days(days, totals, end, _made_of(files, end))
    if all(cut >= one for one in cuts):
        older = [one for one in cuts if one != cut]
        given_up = older[: max(0, len(older) - N_KEPT + 1)]
        rows = totals.to_arrow()
        lakehouse.replace_rows(rows, USER_TOTALS, {"before": [cut, *given_up]})
    return totals


def _newest_that_hold(
    lakehouse: Lakehouse, cuts: Sequence[date], files: Sequence[tuple[date, str]]
) -> pl.DataFrame:
    for cut in reversed(cuts):
        totals = _to_polars(lakehouse.read_arrow(USER_TOTALS, {"before": [cut]}))
        if totals["made_of"][0] == _made_of(files, cut):
            return totals
    return no_totals()


def _made_of(files: Sequence[tuple[date, str]], cut: date) -> str:
    """Of what totals before a cut are made: files that never change, and what is kept of them."""
    return content_hash(
        [SOURCES_FINGERPRINT, USER_TOTALS.column_names, [path for day, path in files if day < cut]]
    )


def _steps(begin: date, end: date) -> list[date]:
    n_steps = -(-(end - begin).days // _STEP_DAYS)
    return [days_after(begin, number * _STEP_DAYS) for number in range(n_steps)]


def _read_days(lakehouse: Lakehouse, first: date, end: date) -> pl.DataFrame:
    where = {"event_date": Between(first, end - timedelta(days=1))}
    return _to_polars(lakehouse.read_arrow(SESSION_DAYS, where))


def _to_polars(rows: Any) -> pl.DataFrame:
    found = pl.from_arrow(rows)
    assert isinstance(found, pl.DataFrame)
    return found
