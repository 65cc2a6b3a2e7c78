"""A table of dates, rebuilt from the events where they have changed."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import date as Date

from pyspark.sql import DataFrame

from churn_spark.contracts.tables import EVENTS
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.lakehouse.touched_dates import find_touched_dates
from churn_spark.pipeline.use_case import UseCase

Dates = Callable[[Collection[Date]], list[Date]]


def rebuild_touched(
    lakehouse: Lakehouse,
    use_case: UseCase,
    build: Callable[[DataFrame], DataFrame],
    rebuilt: Dates = list,
    read: Dates = list,
) -> None:
    """Rebuild the dates of the table whose events changed since it was last built.

    Args:
        lakehouse: with the events.
        use_case: writes the one table.
        build: events -> rows with `event_date`.
        rebuilt: touched dates -> dates whose rows depend on them.
        read: rebuilt dates -> dates whose events they depend on.

    Raises:
        MissingTableError: if no events were loaded yet.
    """
    [table] = use_case.writes
    with use_case.start(lakehouse) as facts:
        touched = find_touched_dates(lakehouse, table)
        dates = rebuilt(touched.dates)
        events = lakehouse.read(EVENTS)
        rows = build(events.filter(events.event_date.isin(read(dates))))
        lakehouse.replace(
            rows.filter(rows.event_date.isin(dates)),
            table,
            {"event_date": dates},
            note=touched.note,
        )
        facts.append(touched.describe())
