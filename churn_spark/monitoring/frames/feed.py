"""Counts for the data checks: what is collected is a row each, whatever the tables' size."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date, timedelta

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from churn_spark.contracts.pages import Page
from churn_spark.monitoring.data_quality.checks import ColumnFacts, FeedFacts
from churn_spark.timeline import day_start_millis

_MILLIS_PER_HOUR = 3_600_000
_WEEKS = 8
_USUAL_DAYS = 7
# Fields that some events lack; one that is no longer sent shows as more nulls than before.
_EVENT_FIELDS = ("registered_ts", "gender", "location", "os", "browser", "item_in_session")
_EVENT_CATEGORIES = ("page", "level", "auth")
_SONG_PAGE, _SONG_FIELD = Page.NEXT_SONG, "song_seconds"


def read_feed_facts(
    events: DataFrame, quarantine: DataFrame, log_start: date, night: date
) -> FeedFacts:
    """Counts of the newest day before the night, and of the batches that delivered it.

    The same tables give the same counts, whichever run has loaded them.

    Args:
        events: the table.
        quarantine: the table.
        log_start: first date of the log.
        night: its newest day is the one before.
    """
    day = night - timedelta(days=1)
    weekdays = [day - timedelta(weeks=week) for week in range(1, _WEEKS + 1)]
    weekdays = [one for one in weekdays if one >= log_start]
    known = events.filter(F.col("event_date") < F.lit(night))
    by_date = {
        row.event_date: row
        for row in known.filter(F.col("event_date").isin([day, *weekdays]))
        .groupBy("event_date")
        .agg(
            F.count(F.lit(1)).alias("n"),
            F.countDistinct("user_id", "event_hash").alias("n_distinct"),
            F.max(F.unix_millis("event_ts")).alias("newest"),
            F.collect_set("ingest_batch").alias("batches"),
        )
        .collect()
    }
    tonight = by_date.get(day)
    newest = tonight.newest if tonight else _newest(known)
    batches = tonight.batches if tonight else []
    delivered = events.filter(F.col("ingest_batch").isin(batches))
    n_accepted, oldest = delivered.agg(F.count(F.lit(1)), F.min("event_date")).collect()[0]
    n_rejected = quarantine.filter(F.col("ingest_batch").isin(batches)).count() if batches else 0
    behind = day_start_millis(night) - newest if newest is not None else math.inf
    return FeedFacts(
        n_events=tonight.n if tonight else 0,
        same_weekday=tuple(by_date[one].n if one in by_date else 0 for one in weekdays),
        hours_behind=behind / _MILLIS_PER_HOUR,
        n_lines=n_accepted + n_rejected,
        n_quarantined=n_rejected,
        n_duplicates=tonight.n - tonight.n_distinct if tonight else 0,
        is_backfill=tonight is not None and (day - oldest).days > _USUAL_DAYS
        # A single late event is no reason to let the whole day pass.
        and 2 * tonight.n <= n_accepted,
    )


def read_event_facts(events: DataFrame, night: date) -> list[ColumnFacts]:
    """Nulls and new values of the newest day's events, against the week before.

    The length of a song is asked for where a song was played.

    A field that the service renames is null from that day on, and a page that it renames is new.
    """
    day = night - timedelta(days=1)
    week = events.filter(
        (F.col("event_date") < F.lit(day))
        & (F.col("event_date") >= F.lit(day - timedelta(days=_USUAL_DAYS)))
    )
    today = events.filter(F.col("event_date") == F.lit(day))
    sets = [F.collect_set(name).alias(name) for name in _EVENT_CATEGORIES]
    names = (*_EVENT_FIELDS, *_EVENT_CATEGORIES)
    songs = F.col("page") == _SONG_PAGE
    of_songs = [
        F.count_if(songs).alias("n_songs"),
        F.count_if(songs & F.col(_SONG_FIELD).isNull()).alias("n_without_length"),
    ]
    usual = week.agg(*_nulls(names), *of_songs, *sets).collect()[0]
    unseen = [
        F.count_if(F.col(name).isNotNull() & ~F.col(name).isin(usual[name] or [""])).alias(name)
        for name in _EVENT_CATEGORIES
    ]
    now = today.agg(*_nulls(names), *of_songs, *unseen).collect()[0]
    rows = usual["n_rows"], now["n_rows"]
    without_length = ColumnFacts(
        f"events.{_SONG_FIELD}",
        (usual["n_songs"], now["n_songs"]),
        (usual["n_without_length"], now["n_without_length"]),
    )
    fields = [
        ColumnFacts(
            f"events.{name}",
            rows,
            (usual[f"null_{name}"], now[f"null_{name}"]),
            n_unseen=(0, now[name]) if name in _EVENT_CATEGORIES else None,
        )
        for name in names
    ]
    return [*fields, without_length]


def _newest(events: DataFrame) -> int | None:
    """Milliseconds of the newest event; none if there is no event.

    The newest date comes first: it is known from the names of the partitions.
    """
    newest_date = events.agg(F.max("event_date")).collect()[0][0]
    newest = events.filter(F.col("event_date") == F.lit(newest_date))
    found: int | None = newest.agg(F.max(F.unix_millis("event_ts"))).collect()[0][0]
    return found


def _nulls(names: Sequence[str]) -> list[Column]:
    counts = [F.count_if(F.col(name).isNull()).alias(f"null_{name}") for name in names]
    return [F.count(F.lit(1)).alias("n_rows"), *counts]
