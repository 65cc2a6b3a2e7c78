"""Silver `transitions` -> the cells that users went through before a date, and how often."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import date, timedelta
from itertools import pairwise
from typing import Final

import polars as pl

from churn_spark.contracts.tables import TRANSITION_TOTALS, TRANSITIONS
from churn_spark.lakehouse.selection import Between
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.models.behaviour.counts import (
    CELLS_FINGERPRINT,
    add_counts,
    no_counts,
    stack_counts,
    sum_counts,
)
from churn_spark.pipeline.kept_totals import KeptTotals

KEPT: Final = KeptTotals(TRANSITION_TOTALS, TRANSITIONS, CELLS_FINGERPRINT, no_counts, add_counts)
_LATE_DAYS: Final = 7
"""The days before a date in which most late events fall: they don't touch what is kept."""

MAX_LOCAL_ROWS: Final = 10_000_000
"""Of transitions, and of totals of them: about 1 GB each, of some 40,000 users."""


def are_few_transitions(lakehouse: Lakehouse, as_of_dates: Collection[date]) -> bool:
    """Whether what users were known to have done before the dates fits in this process."""
    if not lakehouse.is_native:
        return False
    cuts = [_first_day(as_of_dates), *sorted(as_of_dates)]
    # From date to date: what lies between two of them is in memory at once, beside the totals.
    parts = [{"event_date": Between(*days)} for days in pairwise(cuts)]
    counts = [lakehouse.count_rows(TRANSITIONS, part) for part in parts]
    return max(*counts, KEPT.count(lakehouse, cuts[0])) <= MAX_LOCAL_ROWS


def read_counts(
    lakehouse: Lakehouse, as_of_dates: Collection[date]
) -> Iterator[tuple[date, pl.DataFrame]]:
    """What each user was known to have done before each of the dates, by cell, the oldest first.

    Columns `user_id`, `cell`, `n_transitions`, `total_millis`; a user may have a cell in many rows.
    """
    first = _first_day(as_of_dates)
    totals = KEPT.read(lakehouse, first)
    for as_of in sorted(as_of_dates):
        counts = stack_counts(KEPT.read_days(lakehouse, first, as_of), totals)
        yield as_of, counts
        totals, first = sum_counts(counts), as_of


def _first_day(as_of_dates: Collection[date]) -> date:
    """The newest Monday that is far enough before all dates for late events not to touch it."""
    last = min(as_of_dates) - timedelta(days=_LATE_DAYS)
    return last - timedelta(days=last.weekday())
