"""Events in a lakehouse and what is rolled up from them, for tests that may need no Spark."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
from deltalake import DeltaTable

from churn_spark.contracts.tables import EVENTS, SESSION_DAYS, TRANSITIONS, TableSpec
from churn_spark.features.ordered_events import order_events
from churn_spark.features.session_days import build_session_days
from churn_spark.features.transitions import build_transitions
from churn_spark.lakehouse.commits import Once, append_files, create_table
from churn_spark.lakehouse.data_files import write_data_files
from churn_spark.lakehouse.small_tables import SmallTables
from churn_spark.pipeline import ingest, rollups, session_days, transitions
from churn_spark.pipeline.context import JobContext
from tests.rollup_builders import event_frame

BOTH = session_days.STEP | transitions.STEP
Records = list[dict[str, Any]]


def deliver(lakehouse: SmallTables, records: Iterable[Mapping[str, Any]], batch: int) -> None:
    """Add the events of records, as the ingest does."""
    table = lakehouse.uri(EVENTS)
    create_table(EVENTS, table, {})
    files = write_data_files(event_frame(records), EVENTS, table, {})
    append_files(files, table, {}, Once("test", batch))


def load_silver(context: JobContext, logs: Path) -> None:
    """Session days and transitions of a folder of logs, as a night makes them."""
    ingest.run(context.lakehouse, context.config.ingest, str(logs))
    rollups.run(context.lakehouse, context.config.ingest, BOTH)


def versions(lakehouse: SmallTables) -> tuple[int, int]:
    """Those of the two tables."""
    return lakehouse.version(SESSION_DAYS), lakehouse.version(TRANSITIONS)


def assert_up_to_date(lakehouse: SmallTables, records: Iterable[Mapping[str, Any]]) -> None:
    """Both tables are those of all records at once."""
    ordered = order_events(event_frame(records))
    for spec, expected in (
        (SESSION_DAYS, build_session_days(ordered)),
        (TRANSITIONS, build_transitions(ordered)),
    ):
        found = pl.DataFrame(lakehouse.read_arrow(spec, {}, spec.column_names))
        assert found.sort(spec.column_names).equals(expected.sort(spec.column_names)), spec.name


def files_by_date(lakehouse: SmallTables, spec: TableSpec) -> dict[date, set[str]]:
    """The data files of each date."""
    files = pl.DataFrame(DeltaTable(lakehouse.uri(spec)).get_add_actions(flatten=True))
    by_date = files.group_by("partition.event_date").agg("path")
    return {day: set(paths) for day, paths in by_date.iter_rows()}
