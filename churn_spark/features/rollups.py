"""The tables that are made of events, date by date: what each needs and how it is made."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

import polars as pl
import pyarrow as pa
from pyspark.sql import DataFrame

from churn_spark.contracts.tables import EVENT_DAYS, SESSION_DAYS, TRANSITIONS, TableSpec
from churn_spark.features.event_days import FEED_COLUMNS, build_event_days
from churn_spark.features.ordered_events import EVENT_COLUMNS, categorise, order_events
from churn_spark.features.session_days import build_session_days
from churn_spark.features.transitions import build_transitions, dates_to_read, dates_to_rebuild
from churn_spark.lakehouse.arrow_schema import arrow_schema
from churn_spark.lakehouse.schema import struct_of

_Dates = Callable[[Collection[date]], list[date]]


@dataclass(frozen=True)
class Rollup:
    """One table that is made of events, user by user and date by date.

    Attributes:
        table: what is made.
        build: events -> rows with `event_date`.
        rebuilt: dates whose events changed -> dates whose rows depend on them.
        read: dates to rebuild -> dates whose events they depend on.
        is_ordered: whether it is made of events in order, each once, or of all as delivered.
        is_of_log: whether events out of place are left out.
    """

    table: TableSpec
    build: Callable[[pl.DataFrame], pl.DataFrame]
    rebuilt: _Dates = sorted
    read: _Dates = sorted
    is_ordered: bool = True
    is_of_log: bool = True


SESSION_DAY_ROLLUP: Final = Rollup(SESSION_DAYS, build_session_days)
TRANSITION_ROLLUP: Final = Rollup(
    TRANSITIONS, build_transitions, rebuilt=dates_to_rebuild, read=dates_to_read
)
EVENT_DAY_ROLLUP: Final = Rollup(EVENT_DAYS, build_event_days, is_ordered=False, is_of_log=False)
READ_COLUMNS: Final = (*EVENT_COLUMNS, *FEED_COLUMNS)
"""What all of them need of an event."""


def roll_up(
    events: pl.DataFrame, dates: Mapping[Rollup, Collection[date]]
) -> dict[Rollup, pl.DataFrame]:
    """The rows of some dates of each table, from one sorted pass over the events.

    Args:
        events: of whole users, on all dates that those of the tables depend on.
        dates: table -> its dates.
    """
    delivered = categorise(events)
    ordered = order_events(delivered) if any(rollup.is_ordered for rollup in dates) else delivered
    return {
        rollup: rollup.build(ordered if rollup.is_ordered else delivered).filter(
            pl.col("event_date").is_in(list(wanted))
        )
        for rollup, wanted in dates.items()
    }


def roll_up_frame(events: DataFrame, rollup: Rollup) -> DataFrame:
    """The rows of one table on all dates of the events, as a Spark frame.

    Grain: that of the table. Each task holds the events of its users.
    """
    whole_users = events.select(*READ_COLUMNS).repartition("user_id")
    return whole_users.mapInArrow(
        lambda batches: roll_up_batches(batches, rollup), struct_of(rollup.table)
    )


def roll_up_batches(batches: Iterable[pa.RecordBatch], rollup: Rollup) -> Iterator[pa.RecordBatch]:
    """The rows of one table, from all events of some users."""
    found = [pl.DataFrame(batch) for batch in batches if batch.num_rows]
    if found:
        events = pl.concat(found)
        rows = rollup.build(order_events(events) if rollup.is_ordered else events)
        yield from rows.to_arrow().cast(arrow_schema(rollup.table)).to_batches()
