"""What the data checks are told, on logs whose counts are known by hand."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta

import pytest
from pyspark.sql import DataFrame, SparkSession

from churn_spark.contracts.tables import EVENTS, QUARANTINE
from churn_spark.lakehouse.schema import struct_of
from churn_spark.monitoring.data_quality.checks import FeedFacts
from churn_spark.monitoring.frames.feed import read_event_facts, read_feed_facts

pytestmark = pytest.mark.spark

NIGHT = date(2018, 11, 13)
START = date(2018, 11, 1)


def event(days_before: int, batch: int, number: int = 0, **changes: object) -> tuple[object, ...]:
    """An event at noon, so many days before the night, each `number` another one."""
    day = NIGHT - timedelta(days=days_before)
    values = dict.fromkeys(EVENTS.column_names)
    values |= {
        "event_date": day,
        "event_ts": datetime(day.year, day.month, day.day, 12, tzinfo=UTC),
        "user_id": "7",
        "page": "NextSong",
        "auth": "Logged In",
        "level": "free",
        "os": "Mac",
        "song_seconds": 200.0,
        "event_hash": 1000 * days_before + number,
        "ingest_batch": batch,
        **changes,
    }
    return tuple(values.values())


def events_of(spark: SparkSession, *rows: tuple[object, ...]) -> DataFrame:
    return spark.createDataFrame(list(rows), struct_of(EVENTS))


def rejected(spark: SparkSession, *batches: int) -> DataFrame:
    rows = [("{", "no JSON", 1, "file", batch) for batch in batches]
    return spark.createDataFrame(rows, struct_of(QUARANTINE))


def test_newest_day_is_counted_with_its_weekdays_and_its_batches(spark: SparkSession) -> None:
    events = events_of(
        spark,
        *(event(1, 5, number) for number in range(4)),
        event(1, 6),
        *(event(8, 2, number) for number in range(3)),
        event(2, 4),
        event(0, 7),
    )
    found = read_feed_facts(events, rejected(spark, 5, 5, 2), START, NIGHT)
    # The fifth event of the day is the first one again, by another batch.
    assert found == FeedFacts(5, (3,), 12.0, 7, 2, 1, is_backfill=False)


def test_days_without_events_are_known_to_have_none(spark: SparkSession) -> None:
    found = read_feed_facts(events_of(spark, event(3, 1)), rejected(spark, 1), START, NIGHT)
    assert found == FeedFacts(0, (0,), 60.0, 0, 0, 0, is_backfill=False)
    none = read_feed_facts(events_of(spark), rejected(spark), START, NIGHT)
    assert none.hours_behind == math.inf


@pytest.mark.parametrize(("days_before", "is_backfill"), [(8, False), (9, True)])
def test_day_that_came_with_weeks_before_is_a_backfill(
    spark: SparkSession, days_before: int, is_backfill: bool
) -> None:
    events = events_of(spark, event(1, 3), event(days_before, 3), event(12, 1))
    assert read_feed_facts(events, rejected(spark), START, NIGHT).is_backfill is is_backfill


def test_one_late_event_does_not_make_the_day_a_backfill(spark: SparkSession) -> None:
    day = (event(1, 3, number) for number in range(3))
    found = read_feed_facts(events_of(spark, *day, event(9, 3)), rejected(spark), START, NIGHT)
    assert not found.is_backfill


def test_fields_and_values_are_compared_with_the_week_before(spark: SparkSession) -> None:
    events = events_of(
        spark,
        event(1, 2, os=None, song_seconds=None),
        # No song: it has no length, and nobody misses it.
        event(1, 2, 1, page="Listen", song_seconds=None),
        event(3, 1),
        event(8, 1, 1, os=None),
        # More than a week before: "Listen" is new, and this null isn't counted.
        event(9, 1, 2, page="Listen", os=None),
    )
    found = {facts.column: facts for facts in read_event_facts(events, NIGHT)}
    assert found["events.os"].n_rows == (2, 2)
    assert found["events.os"].n_null == (1, 1)
    assert found["events.os"].n_unseen is None
    assert found["events.page"].n_unseen == (0, 1)
    assert found["events.level"].n_unseen == (0, 0)
    assert found["events.gender"].n_null == (2, 2)
    assert found["events.song_seconds"].n_rows == (2, 1)
    assert found["events.song_seconds"].n_null == (0, 1)
