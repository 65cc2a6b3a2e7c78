"""Users -> parts that the model of fading is fitted to, the same in Spark and in this process."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import Final, TypeVar

import pandas as pd
import polars as pl
from pyspark import RDD, StorageLevel
from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from churn_spark.lakehouse.frames import hash_users
from churn_spark.models.fading.fitting import UserDays
from churn_spark.models.fading.parts import LocalParts, Parts

Part = TypeVar("Part")
Other = TypeVar("Other")
Result = TypeVar("Result")

PART_USERS: Final = 1024
"""About so many users are a part: 15 MB a part for each month of the log while it is fitted."""


@dataclass(frozen=True)
class SparkParts(Parts[Part]):
    """Parts that stay in Spark; only sums come to the driver.

    Attributes:
        parts: number of each part, and the part.
    """

    parts: RDD[tuple[int, Part]]

    def collect(self, function: Callable[[Part], Result]) -> list[Result]:
        """What the function finds in each part, in the parts' order."""
        found = self.parts.mapValues(function).collect()
        return [result for _, result in sorted(found, key=lambda one: one[0])]

    def first(self, n: int) -> SparkParts[Part]:
        """The first parts."""
        return SparkParts(self.parts.filter(lambda part: part[0] < n))

    @contextmanager
    def derive(self, function: Callable[[Part], Other]) -> Iterator[SparkParts[Other]]:
        """What the function makes of each part, kept while it is used."""
        made = self.parts.mapValues(function).persist(StorageLevel.MEMORY_AND_DISK)
        try:
            yield SparkParts(made)
        finally:
            made.unpersist()


def cut_users(users: DataFrame, n_users: int) -> SparkParts[UserDays]:
    """Cut users into parts, by hash.

    Args:
        users: `user_id`, `begins` and `ends` (see `gather_days`), `registered` and `cancelled`,
            epoch seconds.
        n_users: how many they are.
    """
    n_parts = _n_parts(n_users)
    numbered = users.withColumn("part", F.pmod(F.xxhash64("user_id"), F.lit(n_parts)).cast("int"))
    ordered = numbered.repartition(n_parts, "part").sortWithinPartitions("part", "user_id")
    return SparkParts(ordered.rdd.mapPartitions(_pack))


def cut_users_here(users: pl.DataFrame) -> LocalParts[UserDays]:
    """The same parts of users in this process."""
    ordered = users.sort("user_id")
    part = hash_users(ordered["user_id"]).to_numpy() % _n_parts(ordered.height)
    numbered = ordered.with_columns(pl.Series("part", part)).sort("part", "user_id").to_pandas()
    return LocalParts([UserDays.of(rows) for _, rows in numbered.groupby("part")])


def _n_parts(n_users: int) -> int:
    return max(1, math.ceil(n_users / PART_USERS))


def _pack(rows: Iterable[Row]) -> Iterator[tuple[int, UserDays]]:
    """Make one part of the rows of each, which come one after the other."""
    for part, some in groupby(rows, key=attrgetter("part")):
        yield part, UserDays.of(pd.DataFrame([row.asDict() for row in some]))
