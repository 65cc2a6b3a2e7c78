"""Tables that are made of events, rebuilt on the dates that new events touch, from one read."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date as Date
from typing import Final

from deltalake import DeltaTable
from pyspark.sql import functions as F

from churn_spark.config import IngestConfig
from churn_spark.contracts.tables import EVENT_DAYS, EVENTS
from churn_spark.features.rollups import (
    SESSION_DAY_ROLLUP,
    TRANSITION_ROLLUP,
    Rollup,
    roll_up_frame,
)
from churn_spark.lakehouse.bucket_files import list_bucket_files
from churn_spark.lakehouse.commits import create_table, replace_partitions
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.lakehouse.touched_dates import TouchedDates, find_touched_dates
from churn_spark.pipeline.log_dates import LogPlaces, find_places
from churn_spark.pipeline.rollup_task import FilesByTable, RollupTask, deal
from churn_spark.pipeline.use_case import UseCase

_OF_LOG: Final = (SESSION_DAY_ROLLUP, TRANSITION_ROLLUP)


@dataclass(frozen=True)
class Rebuild:
    """A table, and what of it is to be built.

    Attributes:
        rollup: how it is made.
        touched: dates whose events changed.
        log: which dates are set aside, or no longer are.
    """

    rollup: Rollup
    touched: TouchedDates
    log: LogPlaces

    @property
    def dates(self) -> list[Date]:
        """Those whose rows are replaced."""
        moved = self.log.moved if self.rollup.is_of_log else []
        return self.rollup.rebuilt({*self.touched.dates, *moved})

    @property
    def built(self) -> list[Date]:
        """Those that have rows afterwards."""
        aside = {*self.rollup.rebuilt(self.log.out)} if self.rollup.is_of_log else ()
        return [day for day in self.dates if day not in aside]

    @property
    def read(self) -> list[Date]:
        """Those whose events are read."""
        return self.rollup.read(self.built)


def run(lakehouse: Lakehouse, config: IngestConfig, steps: Mapping[UseCase, Rollup]) -> None:
    """Rebuild the dates that were touched since the last run, and those that depend on them.

    Where dates turn out to be out of place, or no longer are, all tables that leave such dates out
    follow.

    Each table notes the version of the events that it is built from, in its own commit: after a
    kill between two tables the next run builds the one that is behind.

    Args:
        lakehouse: with the events.
        config: of the ingest.
        steps: each with the table that it writes.

    Raises:
        MissingTableError: if no events were loaded yet.
    """
    with ExitStack() as lines:
        # What begins last is said first.
        started = {one: lines.enter_context(one.start(lakehouse)) for one in reversed([*steps])}
        version = lakehouse.version(EVENTS)
        log, rebuilds = _find_rebuilds(lakehouse, config, steps.values(), version)
        touched = [rebuild for rebuild in rebuilds.values() if rebuild.dates]
        tables = [EVENTS, *(rebuild.rollup.table for rebuild in touched)]
        if touched and lakehouse.takes_commits(tables):
            _rebuild_natively(lakehouse, config, touched, version)
        else:
            for rebuild in touched:
                _rebuild_by_spark(lakehouse, rebuild)
        log.write(lakehouse)
        for step, rollup in steps.items():
            started[step].append(rebuilds[rollup].touched.describe())
            if rollup.is_of_log:
                started[step].extend(log.describe())


def plan(
    lakehouse: Lakehouse, config: IngestConfig, wanted: Collection[Rollup]
) -> Mapping[Rollup, Rebuild]:
    """What of some tables would be rebuilt; nothing is."""
    return _find_rebuilds(lakehouse, config, wanted, lakehouse.version(EVENTS))[1]


def _find_rebuilds(
    lakehouse: Lakehouse, config: IngestConfig, wanted: Collection[Rollup], version: int
) -> tuple[LogPlaces, dict[Rollup, Rebuild]]:
    """Where the dates lie, and what is to be rebuilt of some tables and of those that follow."""
    touched = {EVENT_DAYS: find_touched_dates(lakehouse, EVENT_DAYS, version)}
    log = find_places(lakehouse, config, version, touched[EVENT_DAYS].dates)
    followers = [one for one in _OF_LOG if log.moved and lakehouse.exists(one.table)]
    rebuilds = {}
    for rollup in dict.fromkeys([*wanted, *followers]):
        if rollup.table not in touched:
            touched[rollup.table] = find_touched_dates(lakehouse, rollup.table, version)
        rebuilds[rollup] = Rebuild(rollup, touched[rollup.table], log)
    return log, rebuilds


def _rebuild_natively(
    lakehouse: Lakehouse, config: IngestConfig, rebuilds: Sequence[Rebuild], version: int
) -> None:
    """Each bucket of events is read once for all tables, by Spark's tasks if there are many."""
    options = lakehouse.storage_options
    task = RollupTask(
        tables={rebuild.rollup: lakehouse.uri(rebuild.rollup.table) for rebuild in rebuilds},
        dates={rebuild.rollup: rebuild.built for rebuild in rebuilds},
        read=sorted({day for rebuild in rebuilds for day in rebuild.read}),
        options=options,
    )
    for rollup, table in task.tables.items():
        create_table(rollup.table, table, options)
    events = DeltaTable(lakehouse.uri(EVENTS), version, storage_options=options)
    buckets = list_bucket_files(events, lakehouse.uri(EVENTS), task.read)
    written: list[FilesByTable]
    if sum(bucket.n_rows for bucket in buckets) <= config.max_driver_events:
        written = [task.run(buckets)]
    else:
        context = lakehouse.spark.sparkContext
        hands = deal(buckets, context.defaultParallelism)
        written = context.parallelize(hands, len(hands)).map(task.run).collect()
    for rebuild in rebuilds:
        table = task.tables[rebuild.rollup]
        files = [file for by_table in written for file in by_table.get(table, ())]
        days = {"event_date": rebuild.dates}
        replace_partitions(files, table, options, days, rebuild.touched.once)
        lakehouse.shorten_log(rebuild.rollup.table, lakehouse.version(rebuild.rollup.table))


def _rebuild_by_spark(lakehouse: Lakehouse, rebuild: Rebuild) -> None:
    """The same rows, read and written by Spark, where Python doesn't reach the storage."""
    table, is_date = rebuild.rollup.table, F.col("event_date").isin
    rows = roll_up_frame(lakehouse.read(EVENTS).filter(is_date(rebuild.read)), rebuild.rollup)
    lakehouse.replace(
        rows.filter(is_date(rebuild.built)),
        table,
        {"event_date": rebuild.dates},
        once=rebuild.touched.once,
        deal_by="user_id" if "user_id" in table.column_names else None,
    )
