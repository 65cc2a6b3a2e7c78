"""The dates whose events changed since a table was last built from them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from churn_spark.contracts.tables import EVENTS, TableSpec
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.wording import count_of


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
    def note(self) -> dict[str, int]:
        """What the table's next commit must note."""
        return {"events_version": self.version}

    def describe(self) -> str:
        """One line for people."""
        return f"events v{self.version}: {count_of(len(self.dates), 'date')} rebuilt"


def find_touched_dates(lakehouse: Lakehouse, built: TableSpec) -> TouchedDates:
    """The dates whose events changed since a table was last built from them.

    The events' version that a table was built from is noted in its own commits, so a run that
    is killed leaves either the old rows and the old note or the new of both.
    """
    version = lakehouse.version(EVENTS)
    built_from = lakehouse.newest_note(built).get("events_version", -1)
    if built_from >= version:
        return TouchedDates([], version)
    changed = lakehouse.changes(EVENTS, since=built_from).select("event_date").distinct()
    return TouchedDates(sorted(row.event_date for row in changed.collect()), version)
