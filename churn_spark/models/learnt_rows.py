"""The rows that models are fitted to: in Spark, and on the driver where all fit there.

A training asks for parts of its rows a dozen times: a median, a share, the newest date, a
sample. Up to `MAX_COLLECTED_ROWS` they are collected once and everything but SynapseML's fit is
answered in this process; beyond, each answer is a query, with the same result.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from churn_spark.evaluation.treated import WEIGHT
from churn_spark.lakehouse.frames import Rows, sample_rows

MAX_COLLECTED_ROWS = 500_000


@dataclass(frozen=True)
class LearntRows:
    """Rows with `as_of`, `user_id`, `label`, `split` and the features.

    Where contacts may have changed outcomes they have a `weight`, too: see `evaluation.treated`.

    Attributes:
        session: of Spark.
        read: gives the rows in Spark, persisted or from a table, so that no task recomputes its
            input; asked only for what Spark does.
        collected: the same, in the order of `sample_rows`; none where there are too many.
    """

    session: SparkSession
    read: Callable[[], DataFrame]
    collected: pd.DataFrame | None

    @staticmethod
    def of(rows: DataFrame) -> LearntRows:
        """The rows, on the driver too if they are few enough."""
        if rows.count() > MAX_COLLECTED_ROWS:
            return LearntRows(rows.sparkSession, lambda: rows, None)
        # Sorted here: Spark would first read all to find out where to cut.
        ordered = sample_rows(rows.toPandas(), MAX_COLLECTED_ROWS)
        return LearntRows(rows.sparkSession, lambda: rows, ordered)

    @staticmethod
    def of_frame(rows: pd.DataFrame, spark: SparkSession) -> LearntRows:
        """Rows that are on the driver already, no more than `MAX_COLLECTED_ROWS`."""
        ordered = sample_rows(rows, MAX_COLLECTED_ROWS)
        return LearntRows(spark, lambda: spark.createDataFrame(ordered), ordered)

    @cached_property
    def spark(self) -> DataFrame:
        """The rows in Spark."""
        return self.read()

    @property
    def rows(self) -> Rows:
        """The rows, on the driver where they fit there."""
        return self.spark if self.collected is None else self.collected

    def where(self, column: str, values: Collection[Any]) -> LearntRows:
        """The rows that have one of the values in a column."""
        return self._filter(
            lambda: F.col(column).isin(*values), lambda rows: rows[column].isin([*values])
        )

    @cached_property
    def is_weighted(self) -> bool:
        """Whether some rows count more or less than once."""
        return WEIGHT in self.rows.columns

    @property
    def counting(self) -> LearntRows:
        """The rows whose outcome counts: all where no contact may have changed one."""
        if not self.is_weighted:
            return self
        return self._filter(lambda: F.col(WEIGHT) > 0, lambda rows: rows[WEIGHT] > 0)

    def _filter(
        self, condition: Callable[[], Column], choose: Callable[[pd.DataFrame], pd.Series]
    ) -> LearntRows:
        """The rows that fit a condition, said for Spark and for this process."""

        def read() -> DataFrame:
            return self.spark.filter(condition())

        if self.collected is None:
            return LearntRows(self.session, read, None)
        chosen = self.collected[choose(self.collected)].reset_index(drop=True)
        return LearntRows(self.session, read, chosen)

    def take(self, max_rows: int) -> pd.DataFrame:
        """The rows on the driver, as `sample_rows` gives them."""
        if self.collected is None:
            return sample_rows(self.spark, max_rows)
        return self.collected.head(max_rows)

    @cached_property
    def by_date(self) -> pd.DataFrame:
        """Rows and cancellations of each date; columns `as_of`, `n`, `n_positive`, oldest first."""
        return self._count("as_of")

    @property
    def by_split(self) -> pd.DataFrame:
        """Rows and cancellations of each part; columns `split`, `n`, `n_positive`."""
        return self._count("split")

    def medians(self, names: Sequence[str]) -> dict[str, float | None]:
        """The median of each number, of what is known; none where nothing is."""
        if self.collected is None:
            row = self.spark.agg(*[F.median(name).alias(name) for name in names]).collect()[0]
            return dict(row.asDict())
        found = self.collected[list(names)].astype("float64").median()
        return {
            str(name): None if pd.isna(value) else float(value) for name, value in found.items()
        }

    def most_frequent(self, name: str, n: int) -> tuple[str, ...]:
        """The most frequent texts of a column, in order; of equally many the first by name."""
        if self.collected is None:
            known = self.spark.filter(F.col(name).isNotNull()).groupBy(name).count()
            rows = known.orderBy(F.desc("count"), name).limit(n).collect()
            return tuple(row[name] for row in rows)
        counts = self.collected[name].value_counts().sort_index()
        return tuple(counts.sort_values(ascending=False, kind="stable").index[:n])

    @property
    def dates(self) -> list[date]:
        """The as-of dates, oldest first."""
        return list(self.by_date["as_of"])

    @property
    def n_positive(self) -> int:
        """How many rows cancel."""
        return int(self.by_date["n_positive"].sum())

    @property
    def n_users(self) -> int:
        """How many users they are of."""
        if self.collected is None:
            return self.spark.select("user_id").distinct().count()
        return int(self.collected["user_id"].nunique())

    @property
    def base_rate(self) -> float:
        """Share of the rows that cancel, each as often as it counts."""
        if not self.is_weighted:
            return float(self.by_date["n_positive"].sum() / self.by_date["n"].sum())
        if self.collected is not None:
            return float(np.average(self.collected["label"], weights=self.collected[WEIGHT]))
        weighted = F.sum(F.col("label") * F.col(WEIGHT)) / F.sum(WEIGHT)
        return float(self.spark.agg(weighted).collect()[0][0])

    def _count(self, column: str) -> pd.DataFrame:
        """Rows and cancellations of each value of a column, in order."""
        if self.collected is None:
            counted = self.spark.groupBy(column).agg(
                F.count(F.lit(1)).alias("n"), F.sum("label").alias("n_positive")
            )
            return counted.orderBy(column).toPandas()
        labels = self.collected.groupby(column, sort=True)["label"]
        return labels.agg(n="size", n_positive="sum").reset_index()

    def in_few_partitions(self, columns: Sequence[str], rows_per_task: int) -> DataFrame:
        """Columns of the rows in Spark, ordered: small data gives the same trees.

        What one task fits to is handed to it; only more than that is read from where it lies.
        """
        n_rows = int(self.by_date["n"].sum())
        if self.collected is not None and n_rows <= rows_per_task:
            ordered = self.collected.sort_values(["user_id", "as_of"])[[*columns]]
            return self.session.createDataFrame(ordered).coalesce(1)
        n_tasks = min(n_rows // rows_per_task + 1, self.session.sparkContext.defaultParallelism)
        parts = self.spark.repartition(n_tasks, "user_id")
        return parts.sortWithinPartitions("user_id", "as_of").select(*columns)
