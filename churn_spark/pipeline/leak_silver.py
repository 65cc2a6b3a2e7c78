"""Silver tables of a sample of users held against their events: how many rows aren't theirs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from churn_spark.contracts.places import OUT_OF_PLACE
from churn_spark.contracts.tables import EVENTS, LOG_DATES
from churn_spark.features.rollups import (
    SESSION_DAY_ROLLUP,
    TRANSITION_ROLLUP,
    Rollup,
    roll_up_frame,
)
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.leakage.inputs import sample_users
from churn_spark.leakage.table import OtherRows
from churn_spark.pipeline import session_days, transitions

_OF_LOG: Final = {
    SESSION_DAY_ROLLUP: session_days.USE_CASE.name,
    TRANSITION_ROLLUP: transitions.USE_CASE.name,
}
"""What is made of the log's events -> the job that makes it."""


def find_other_rows(lakehouse: Lakehouse, share: float) -> Iterator[OtherRows]:
    """What session days and transitions of a share of the users say other than their events do.

    Only the counts come to the driver. Where there are no events, nothing is compared.
    """
    if not lakehouse.exists(EVENTS):
        return
    events = sample_users(lakehouse.read(EVENTS), share)
    aside = lakehouse.read_rows(LOG_DATES, {"place": [OUT_OF_PLACE]}, ["event_date"])
    for rollup, job in _OF_LOG.items():
        if lakehouse.exists(rollup.table):
            left_out = rollup.rebuilt(aside["event_date"])
            given = roll_up_frame(events, rollup).filter(~F.col("event_date").isin(left_out))
            stored = sample_users(lakehouse.read(rollup.table), share)
            n_strange, n_missing = _count(stored, given, rollup)
            yield OtherRows(rollup.table.path, job, n_strange, n_missing)


def _count(stored: DataFrame, given: DataFrame, rollup: Rollup) -> tuple[int, int]:
    """Rows that are stored and not given, and rows that are given and not stored."""
    names = rollup.table.column_names
    sides = (stored.select(names).withColumn("n", F.lit(1))).unionByName(
        given.select(names).withColumn("n", F.lit(-1))
    )
    surplus = sides.groupBy(names).agg(F.sum("n").alias("n")).filter("n != 0")
    more, less = F.greatest(F.col("n"), F.lit(0)), F.greatest(-F.col("n"), F.lit(0))
    (found,) = surplus.agg(F.sum(more).alias("more"), F.sum(less).alias("less")).collect()
    return found.more or 0, found.less or 0
