"""Bronze `events` -> silver `log_dates`: which dates are the log, and which are out of place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date as Date
from typing import Final

from deltalake import DeltaTable
from pyspark.sql import functions as F

from churn_spark.config import IngestConfig
from churn_spark.contracts.event_facts import EVENT
from churn_spark.contracts.places import OUT_OF_PLACE
from churn_spark.contracts.tables import EVENT_DAYS, EVENTS, LOG_DATES
from churn_spark.features.log_dates import place_dates
from churn_spark.lakehouse.bucket_files import count_by_date, list_bucket_files
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.wording import count_of, name_some

_NAMED: Final = 3

LogDate = tuple[Date, int, str]
"""A date, its events, its place."""


@dataclass(frozen=True)
class LogPlaces:
    """The dates that events are dated, and what is to be done about them.

    Attributes:
        rows: date, events and place of each.
        before: the same at the last run.
    """

    rows: Sequence[LogDate]
    before: Sequence[LogDate]

    @property
    def out(self) -> list[Date]:
        """The dates whose events are set aside."""
        return _out_of_place(self.rows)

    @property
    def moved(self) -> set[Date]:
        """The dates whose events are set aside now and weren't before, or the other way round."""
        return {*self.out} ^ {*_out_of_place(self.before)}

    def write(self, lakehouse: Lakehouse) -> None:
        """Replace what is known of the dates; last, when the tables follow it."""
        if self.rows != self.before:
            lakehouse.replace_rows(self.rows, LOG_DATES, {})

    def describe(self) -> list[str]:
        """What is set aside, for people; nothing if nothing is."""
        if not self.out:
            return []
        n_events = sum(n for _, n, place in self.rows if place == OUT_OF_PLACE)
        named = name_some([str(day) for day in self.out], _NAMED)
        return [f"{count_of(n_events, 'event')} out of place set aside: {named}"]


def find_places(
    lakehouse: Lakehouse, config: IngestConfig, version: int, touched: Collection[Date]
) -> LogPlaces:
    """Where the dates of a version of the events lie.

    Args:
        lakehouse: with the events.
        config: of the ingest.
        version: of the events.
        touched: dates that `event_days` doesn't know yet as they are: events are counted anew.
    """
    stored = lakehouse.read_rows(LOG_DATES)
    before = sorted(stored.itertuples(index=False, name=None))
    counted = lakehouse.read_rows(EVENT_DAYS, {"fact": [EVENT]}, ["event_date", "n"])
    counts = Counter[Date]()
    for day, n in counted.itertuples(index=False, name=None):
        counts[day] += n
    if touched:
        found = _count_events(lakehouse, touched, version)
        counts = Counter({**counts, **dict.fromkeys(touched, 0), **found})
    places = place_dates(+counts, config)
    return LogPlaces([(day, counts[day], place) for day, place in places.items()], before)


def _out_of_place(rows: Iterable[LogDate]) -> list[Date]:
    return [day for day, _, place in rows if place == OUT_OF_PLACE]


def _count_events(
    lakehouse: Lakehouse, dates: Collection[Date], version: int
) -> Mapping[Date, int]:
    if not lakehouse.is_native:
        rows = lakehouse.read(EVENTS).filter(F.col("event_date").isin([*dates]))
        return {
            row["event_date"]: row["count"] for row in rows.groupBy("event_date").count().collect()
        }
    table, options = lakehouse.uri(EVENTS), lakehouse.storage_options
    events = DeltaTable(table, version, storage_options=options)
    found = Counter[Date]()
    for bucket in list_bucket_files(events, table, dates):
        found.update(count_by_date(bucket, dates, EVENTS, options))
    return found
