"""Events -> facts of each day of the feed: how many there are, what they lack, what they name.

The data checks of a night look at weeks before it: a day's events are counted once, when they
come, and only these counts are read again.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import polars as pl

from churn_spark.contracts.event_facts import (
    BATCH,
    CANCELLED,
    CATEGORIES,
    EVENT,
    EVENT_ONCE,
    FIELDS,
    MAX_VALUE_CHARS,
    MAX_VALUES,
    NEWEST_MILLIS,
    NULL,
    OTHERS,
    SONG,
    SONG_WITHOUT_LENGTH,
    USER,
)
from churn_spark.contracts.pages import Page
from churn_spark.contracts.tables import EVENT_DAYS

FEED_COLUMNS: Final = ("ingest_batch",)
"""What is counted beside the columns that other rollups read."""


def build_event_days(events: pl.DataFrame) -> pl.DataFrame:
    """Count the events of each day.

    Grain: (event_date, fact, value), of the users given.

    Args:
        events: of whole users, those delivered twice twice.
    """
    is_song = pl.col("page") == Page.NEXT_SONG
    has_cancelled = pl.col("page") == Page.CANCELLATION_CONFIRMATION
    nulls = {(NULL, name): pl.col(name).is_null().sum() for name in (*FIELDS, *CATEGORIES)}
    figures = {
        (EVENT, ""): pl.len(),
        (EVENT_ONCE, ""): pl.struct("user_id", "event_hash").n_unique(),
        (USER, ""): pl.col("user_id").n_unique(),
        (CANCELLED, ""): pl.col("user_id").filter(has_cancelled).n_unique(),
        (NEWEST_MILLIS, ""): pl.col("event_ts").dt.epoch("ms").max(),
        (SONG, ""): is_song.sum(),
        (SONG_WITHOUT_LENGTH, ""): (is_song & pl.col("song_seconds").is_null()).sum(),
        **nulls,
    }
    by_day = events.group_by("event_date").agg(
        figure.cast(pl.Int64).alias(f"{fact} {value}") for (fact, value), figure in figures.items()
    )
    counted = [
        by_day.select("event_date", fact=pl.lit(fact), value=pl.lit(value), n=f"{fact} {value}")
        for fact, value in figures
    ]
    return pl.concat([*counted, *_count_values(events)]).select(EVENT_DAYS.column_names)


def _count_values(events: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """The values of each field; as many as are named, however many names a service invents."""
    for fact, column in {BATCH: "ingest_batch", **{name: name for name in CATEGORIES}}.items():
        counted = (
            events.select("event_date", column)
            .filter(pl.col(column).is_not_null())
            .group_by("event_date", value=column)
            .agg(n=pl.len().cast(pl.Int64))
            .group_by("event_date", value=pl.col("value").cast(pl.String).str.head(MAX_VALUE_CHARS))
            .agg(pl.col("n").sum())
        )
        if fact != BATCH:
            counted = _name_most_frequent(counted)
        yield counted.select("event_date", pl.lit(fact).alias("fact"), "value", "n")


def _name_most_frequent(counted: pl.DataFrame) -> pl.DataFrame:
    by_frequency = counted.sort("event_date", -pl.col("n"), "value")
    is_named = pl.int_range(pl.len()).over("event_date") < MAX_VALUES
    named = pl.when(is_named).then("value").otherwise(pl.lit(OTHERS))
    return by_frequency.group_by("event_date", value=named).agg(pl.col("n").sum())
