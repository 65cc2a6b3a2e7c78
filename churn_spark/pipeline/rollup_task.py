"""Buckets of events -> data files of the tables that are made of them: the work of one task."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date as Date

import polars as pl
from deltalake.transaction import AddAction

from churn_spark.contracts.tables import EVENTS
from churn_spark.features.rollups import READ_COLUMNS, Rollup, roll_up
from churn_spark.lakehouse.bucket_files import BucketFiles, read_dates
from churn_spark.lakehouse.data_files import write_data_files
from churn_spark.lakehouse.parquet_files import StorageOptions

FilesByTable = Mapping[str, Sequence[AddAction]]
"""Place of a table -> files to make part of it."""


@dataclass(frozen=True)
class RollupTask:
    """What is to be built, wherever that is done.

    Attributes:
        tables: what is built -> its place.
        dates: what is built -> dates whose rows are.
        read: dates whose events are read.
        options: of the storage.
    """

    tables: Mapping[Rollup, str]
    dates: Mapping[Rollup, Sequence[Date]]
    read: Sequence[Date]
    options: StorageOptions

    def run(self, buckets: Iterable[BucketFiles]) -> FilesByTable:
        """Write the rows of some buckets as one file a date and table.

        One bucket's events are in memory at a time; what they roll up to is small.
        """
        built = defaultdict[Rollup, list[pl.DataFrame]](list)
        for bucket in buckets:
            events = read_dates(bucket, self.read, EVENTS, READ_COLUMNS, self.options)
            for rollup, rows in roll_up(events, self.dates).items():
                built[rollup].append(rows)
        return {
            self.tables[rollup]: write_data_files(
                pl.concat(rows), rollup.table, self.tables[rollup], self.options
            )
            for rollup, rows in built.items()
        }


def deal(buckets: Sequence[BucketFiles], n_tasks: int) -> list[list[BucketFiles]]:
    """The buckets of each task: as many rows for each as may be, and none without a bucket."""
    hands: list[list[BucketFiles]] = [[] for _ in range(min(n_tasks, len(buckets)))]
    for bucket in sorted(buckets, key=lambda one: one.n_rows, reverse=True):
        min(hands, key=lambda hand: sum(one.n_rows for one in hand)).append(bucket)
    return hands
