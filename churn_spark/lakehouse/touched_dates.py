"""The dates whose events changed since a table was last built from them."""

from __future__ import annotations

import json
import zlib
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import date
from typing import Final

import polars as pl
import pyarrow as pa
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from churn_spark.contracts.tables import EVENTS, TableSpec
from churn_spark.lakehouse.bucket_files import list_paths
from churn_spark.lakehouse.commits import Once
from churn_spark.lakehouse.notes import newest_note, read_commit
from churn_spark.lakehouse.parquet_files import scan_files
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.wording import count_of

_WRITER: Final = "built_from_events"


@dataclass(frozen=True)
class EventsVersion:
    """A version of the events, told apart from the same number of another table.

    Attributes:
        table: id that Delta has given the table when it was made.
        version: its number.
        commit: checksum of the commit, as a table that was restored may come to the same number
            by another way; none where the commit's file is gone.
    """

    table: str
    version: int
    commit: int | None

    @classmethod
    def read(cls, lakehouse: Lakehouse, version: int) -> EventsVersion:
        """A version of the events that are there."""
        content = read_commit(lakehouse, EVENTS, version)
        checksum = None if content is None else zlib.crc32(content)
        return cls(lakehouse.table_id(EVENTS), version, checksum)


@dataclass(frozen=True)
class TouchedDates:
    """Dates whose events changed since a table was built from them.

    Attributes:
        dates: UTC dates, in order.
        events: that it is to be built from now.
        number: of the table's next commit.
    """

    dates: list[date]
    events: EventsVersion
    number: int

    @property
    def once(self) -> Once:
        """The name of the table's next commit, which notes what it is built from."""
        return Once(_WRITER, self.number, json.dumps({_WRITER: asdict(self.events)}))

    def describe(self) -> str:
        """One line for people."""
        days = count_of(len(self.dates), "date")
        return f"{days} rebuilt from version {self.events.version} of the events"


def find_touched_dates(lakehouse: Lakehouse, built: TableSpec, version: int) -> TouchedDates:
    """The dates whose events changed since a table was last built from them.

    What a table was built from is noted in its own commits, so a run that is killed leaves either
    the old rows and the old note or the new of both. A table without such a note is built anew,
    as is one whose note speaks of other events than those that are there.

    Args:
        lakehouse: with the events.
        built: the table.
        version: of the events that it is to be built from now.
    """
    events = EventsVersion.read(lakehouse, version)
    number = lakehouse.last_number(built, _WRITER) + 1
    since = _built_from(lakehouse, built, events)
    if since == version:
        return TouchedDates([], events, number)
    dates = None if since is None else _find_changed(lakehouse, since, version)
    if dates is None:
        # Those that have lost all their events are touched, too.
        dates = {*_find_all(lakehouse, version), *lakehouse.partition_values(built, "event_date")}
    return TouchedDates(sorted(dates), events, number)


def _built_from(lakehouse: Lakehouse, built: TableSpec, events: EventsVersion) -> int | None:
    """The version of the events that a table was built from; none if it was of others."""
    note = newest_note(lakehouse, built, _WRITER)
    if note is None:
        return None
    noted = EventsVersion(**note)
    if noted.table != events.table or noted.version > events.version:
        return None
    there = EventsVersion.read(lakehouse, noted.version)
    is_known = noted.commit is not None and there.commit is not None
    return None if is_known and noted.commit != there.commit else noted.version


def _find_changed(lakehouse: Lakehouse, since: int, version: int) -> set[date] | None:
    """Dates of the rows added or deleted after a version of the events.

    None where the log of so long ago or the files that were replaced since are gone.
    """
    if not lakehouse.is_native:
        changed = lakehouse.changes(EVENTS, since).select("event_date").distinct()
        return {row.event_date for row in changed.collect()}
    events = DeltaTable(lakehouse.uri(EVENTS), version, storage_options=lakehouse.storage_options)
    with suppress(DeltaError, pa.ArrowInvalid):
        found = pa.table(events.load_cdf(since + 1, version, columns=["event_date"]))
        return set(pl.DataFrame(found).get_column("event_date").unique())
    return None


def _find_all(lakehouse: Lakehouse, version: int) -> set[date]:
    """Dates of all events."""
    if not lakehouse.is_native:
        rows = lakehouse.read(EVENTS).select("event_date").distinct().collect()
        return {row.event_date for row in rows}
    table, options = lakehouse.uri(EVENTS), lakehouse.storage_options
    paths = list_paths(DeltaTable(table, version, storage_options=options), table)
    if not paths:
        # No line was accepted, or all events were removed: Polars has no schema to read by.
        return set()
    found = scan_files(paths, options)
    return set(found.select(pl.col("event_date").unique()).collect().to_series())
