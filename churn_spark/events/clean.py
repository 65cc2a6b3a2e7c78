"""Records -> events, anonymous rows and rejected ones, each with its reason."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from functools import partial
from typing import Final

import polars as pl

from churn_spark.config import IngestConfig
from churn_spark.events.hashes import hash_records
from churn_spark.events.rules import (
    ANONYMOUS_IDS,
    BROWSER_RULES,
    MAX_COUNT,
    MAX_END_MILLIS,
    MAX_SONG_SECONDS,
    MISSING_PAGE,
    MISSING_SESSION,
    MISSING_TS,
    NUMBER_OUT_OF_RANGE,
    OS_RULES,
    TS_IN_SECONDS,
    TS_OUT_OF_RANGE,
    WHITE_SPACE,
)
from churn_spark.events.values import family_of, state_of
from churn_spark.timeline import day_start_millis

REASON: Final = "reason"
IS_ANONYMOUS: Final = "is_anonymous"


def classify_records(records: pl.DataFrame, config: IngestConfig) -> pl.DataFrame:
    """The records, each with what becomes of it.

    Returns:
        The columns of `records`, `reason` (null unless it is rejected) and `is_anonymous` (no
        known user; false where rejected).
    """
    ts, page = pl.col("ts"), pl.col("page")
    earliest, latest = day_start_millis(config.earliest), day_start_millis(config.latest)
    is_anonymous = _stripped("userId").is_in([*ANONYMOUS_IDS, *config.anonymous_user_ids])
    rules = (
        (ts.is_null(), MISSING_TS),
        (_stripped("page") == "", MISSING_PAGE),
        ((ts * 1000).is_between(earliest, latest), TS_IN_SECONDS),
        (~ts.is_between(earliest, latest), TS_OUT_OF_RANGE),
        (_has_wild_number(latest), NUMBER_OUT_OF_RANGE),
        (~is_anonymous & page.is_not_null() & pl.col("sessionId").is_null(), MISSING_SESSION),
    )
    reason = pl.coalesce(
        pl.when(is_broken).then(pl.lit(name)).otherwise(None) for is_broken, name in rules
    )
    return records.with_columns(reason.alias(REASON)).with_columns(
        (pl.col(REASON).is_null() & is_anonymous).alias(IS_ANONYMOUS)
    )


def may_be_misspelt() -> pl.Expr:
    """Whether a classified record lacks a field that it may have under another spelling."""
    is_nobodys = pl.col(IS_ANONYMOUS) & pl.col("userId").is_null()
    return is_nobodys | pl.col(REASON).is_in([MISSING_TS, MISSING_PAGE, MISSING_SESSION])


def build_events(classified: pl.DataFrame, n_buckets: int) -> pl.DataFrame:
    """The accepted events: columns of `EVENTS`, but where they were delivered.

    Grain: one record. An event that was delivered twice is here twice, with the same hash.
    """
    is_left_out = classified[REASON].is_not_null() | classified[IS_ANONYMOUS]
    accepted = classified.filter(~is_left_out) if is_left_out.any() else classified
    event_ts = _instant("ts")
    user_id = accepted.select(_stripped("userId")).to_series()
    return accepted.select(
        event_ts.dt.date().alias("event_date"),
        event_ts.alias("event_ts"),
        user_id.alias("user_id"),
        pl.col("sessionId").cast(pl.Int64).alias("session_id"),
        pl.col("itemInSession").cast(pl.Int64).alias("item_in_session"),
        "page",
        "auth",
        "level",
        pl.col("length").alias("song_seconds"),
        _instant("registration").alias("registered_ts"),
        "gender",
        _map_texts(accepted["location"], state_of, pl.String()).alias("location"),
        _map_texts(accepted["userAgent"], partial(family_of, rules=OS_RULES), pl.String()).alias(
            "os"
        ),
        _map_texts(
            accepted["userAgent"], partial(family_of, rules=BROWSER_RULES), pl.String()
        ).alias("browser"),
        _instant("subscribedUntil").alias("subscribed_until_ts"),
        hash_records(accepted),
        _map_texts(user_id, partial(bucket_of, n_buckets=n_buckets), pl.Int32()).alias("bucket"),
    )


def bucket_of(user_id: str, n_buckets: int) -> int:
    """The bucket of a user's events, from 0 on."""
    return zlib.crc32(user_id.encode()) % n_buckets


def _stripped(name: str) -> pl.Expr:
    """The text without white space around it; empty where it is null."""
    return pl.col(name).fill_null("").str.strip_chars(WHITE_SPACE)


def _has_wild_number(latest: int) -> pl.Expr:
    """Numbers that no real record has: negative, infinite, fractional where they count."""
    is_wild = ~pl.col("registration").is_between(0, latest)
    is_wild |= ~pl.col("length").is_between(0, MAX_SONG_SECONDS)
    is_wild |= ~pl.col("subscribedUntil").is_between(0, MAX_END_MILLIS)
    for name in ("sessionId", "itemInSession"):
        count = pl.col(name)
        is_wild |= ~count.is_between(0, MAX_COUNT) | (count != count.floor())
    return is_wild.fill_null(value=False)


def _instant(name: str) -> pl.Expr:
    millis = pl.col(name).cast(pl.Int64)
    return (millis * 1000).cast(pl.Datetime("us", "UTC"))


def _map_texts(
    texts: pl.Series, function: Callable[[str], str | int | None], returned: pl.DataType
) -> pl.Series:
    """The function of each text, asked once for each that differs; null for null."""
    known = texts.unique().drop_nulls()
    values = pl.Series([function(text) for text in known], dtype=returned)
    return texts.replace_strict(known, values, default=None, return_dtype=returned)
