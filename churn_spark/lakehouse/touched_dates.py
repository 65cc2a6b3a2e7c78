"""The dates whose events changed since a table was last built from them."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from typing import Final

import polars as pl
import pyarrow as pa
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from churn_spark.contracts.tables import EVENTS, TableSpec
from churn_spark.lakehouse.bucket_files import list_paths
from churn_spark.lakehouse.commits import Once
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.wording import count_of

_WRITER: Final = "built_from_events"


@dataclass(frozen=True)
class TouchedDates:
    """Dates whose events changed since a table was built from them.

    Attributes:
        dates: UTC dates, in order.
        version: of the events table.
    """

    dates: list[date]
    version: int

    @property
    def once(self) -> Once:
        """The name of the table's next commit, which notes what it is built from."""
        return Once(_WRITER, self.version)

    def describe(self) -> str:
        """One line for people."""
        return f"events v{self.version}: {count_of(len(self.dates), 'date')} rebuilt"


def find_touched_dates(lakehouse: Lakehouse, built: TableSpec, version: int) -> TouchedDates:
    """The dates whose events changed since a table was last built from them.

    The events' version that a table was built from is noted in its own commits, so a run that
    is killed leaves either the old rows and the old note or the new of both. A table without
    such a note is built anew.

    Args:
        lakehouse: with the events.
        built: the table.
        version: of the events that it is to be built from now.
    """
    built_from = lakehouse.last_number(built, _WRITER)
    if built_from >= version:
        return TouchedDates([], version)
    if lakehouse.is_native:
        dates = _find_natively(lakehouse, built_from, version)
    else:
        changed = lakehouse.changes(EVENTS, since=built_from).select("event_date").distinct()
        dates = [row.event_date for row in changed.collect()]
    return TouchedDates(sorted(dates), version)


def _find_natively(lakehouse: Lakehouse, since: int, version: int) -> list[date]:
    """Dates of the rows added or deleted after a version of the events; of all where it can't say.

    It can't before the first version, and where the log of so long ago or the files that were
    replaced since are gone.
    """
    table, options = lakehouse.uri(EVENTS), lakehouse.storage_options
    events = DeltaTable(table, version, storage_options=options)
    if since >= 0:
        with suppress(DeltaError, pa.ArrowInvalid):
            changed = pa.table(events.load_cdf(since + 1, version, columns=["event_date"]))
            return pl.DataFrame(changed).get_column("event_date").unique().to_list()
    rows = pl.scan_parquet(list_paths(events, table), glob=False, storage_options=options)
    return rows.select(pl.col("event_date").unique()).collect().to_series().to_list()
