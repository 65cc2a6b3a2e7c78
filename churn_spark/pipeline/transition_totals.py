"""Silver `transitions` -> the cells that users went through before a date, and how often."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final

import polars as pl

from churn_spark.contracts.tables import TRANSITION_TOTALS, TRANSITIONS
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.models.behaviour.counts import (
    CELLS_FINGERPRINT,
    add_counts,
    no_counts,
    stack_counts,
)
from churn_spark.pipeline.kept_totals import KeptTotals

KEPT: Final = KeptTotals(TRANSITION_TOTALS, TRANSITIONS, CELLS_FINGERPRINT, no_counts, add_counts)
_LATE_DAYS: Final = 7
"""The days before a date in which most late events fall: they don't touch what is kept."""


def read_counts(lakehouse: Lakehouse, as_of: date, log_start: date) -> pl.DataFrame:
    """What each user was known to have done before a date, by cell.

    Columns `user_id`, `cell`, `n_transitions`, `total_millis`; a user may have a cell on many rows.
    """
    last = as_of - timedelta(days=_LATE_DAYS)
    cut = max(last - timedelta(days=last.weekday()), log_start)
    totals = KEPT.read(lakehouse, cut, log_start)
    return stack_counts(KEPT.read_days(lakehouse, cut, as_of), totals)
