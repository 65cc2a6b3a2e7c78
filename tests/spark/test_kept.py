"""What Spark keeps for a piece of work is let go, also where the work fails."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, date, datetime
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from churn_spark.lakehouse.frames import kept, numbered
from churn_spark.models.behaviour import spark_cells
from churn_spark.models.fading.user_parts import SparkParts

DAY = date(2018, 11, 5)


@pytest.fixture
def rows(spark: SparkSession) -> DataFrame:
    """Transitions of two users."""
    values = [(user, DAY, "Home", "NextSong", "paid", 3, 60_000) for user in "ab"]
    columns = "user_id string, event_date date, page string, next_page string, level string, "
    return spark.createDataFrame(values, columns + "n_transitions long, total_millis long")


def keep(rows: DataFrame) -> AbstractContextManager[Any]:
    return kept(rows)


def number(rows: DataFrame) -> AbstractContextManager[Any]:
    return numbered(rows.withColumnRenamed("event_date", "as_of"), ["user_id"], "place")


@contextmanager
def open_cells(rows: DataFrame) -> Iterator[Any]:
    registered = rows.sparkSession.createDataFrame(
        [("a", datetime(2018, 10, 1, tzinfo=UTC))], "user_id string, registered_ts timestamp"
    )
    with spark_cells.open_user_cells(rows, registered, 1) as cells:
        yield cells.blocks


@contextmanager
def derive(rows: DataFrame) -> Iterator[Any]:
    with SparkParts(rows.rdd.map(lambda row: (0, row.user_id))).derive(str.upper) as parts:
        yield parts.parts


@pytest.mark.parametrize("work_on", [keep, number, open_cells, derive])
def test_nothing_is_kept_where_the_work_fails(
    work_on: Any, rows: DataFrame, spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spark_cells, "MAX_COLLECTED_CELLS", 0)

    def n_kept() -> int:
        return spark.sparkContext._jsc.getPersistentRDDs().size()

    def fail() -> None:
        with work_on(rows) as found:
            assert found.count() > 0
            assert n_kept() > before
            raise RuntimeError("no visits")

    before = n_kept()
    with pytest.raises(RuntimeError, match="no visits"):
        fail()
    assert n_kept() == before
