"""Typed records -> events, anonymous rows and quarantined lines."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from churn_spark.config import IngestConfig
from churn_spark.contracts.tables import EVENTS, QUARANTINE
from churn_spark.events import parse
from churn_spark.events.agents import browser_of, os_of
from churn_spark.events.rules import (
    ANONYMOUS_IDS,
    MAX_COUNT,
    MAX_SONG_SECONDS,
    MISSING_PAGE,
    MISSING_SESSION,
    MISSING_TS,
    NO_NUMBER,
    NO_TEXT,
    NUMBER_OUT_OF_RANGE,
    NUMBERS,
    REASONS,
    TEXTS,
    TS_IN_SECONDS,
    TS_OUT_OF_RANGE,
)
from churn_spark.lakehouse.schema import conform
from churn_spark.timeline import day_start_millis


def classify_records(parsed: DataFrame, config: IngestConfig) -> DataFrame:
    """The parsed lines, each with what becomes of it.

    Returns:
        The columns of `parsed` and `reason` (null unless the line is quarantined) and
        `is_anonymous` (no known user; false where quarantined).
    """
    ts, page = F.col("record.ts"), F.col("record.page")
    earliest, latest = day_start_millis(config.earliest), day_start_millis(config.latest)
    is_plausible = ts.between(earliest, latest)
    is_anonymous = _is_anonymous(config.anonymous_user_ids)
    reason = (
        F.when(F.col("parse_problem").isNotNull(), F.col("parse_problem"))
        .when(ts.isNull(), MISSING_TS)
        .when(page.isNull() | (parse.strip(page) == ""), MISSING_PAGE)
        .when((ts * 1000).between(earliest, latest), TS_IN_SECONDS)
        .when(~is_plausible, TS_OUT_OF_RANGE)
        .when(_has_wild_number(latest), NUMBER_OUT_OF_RANGE)
        .when(~is_anonymous & F.col("record.sessionId").isNull(), MISSING_SESSION)
    )
    return parsed.withColumn("reason", reason).withColumn(
        "is_anonymous", F.col("reason").isNull() & is_anonymous
    )


def count_lines() -> list[Column]:
    """Aggregates over classified lines: read, accepted, anonymous, and one per reason."""
    is_rejected = F.col("reason").isNotNull()
    return [
        F.count(F.lit(1)).alias("read"),
        F.count_if(~is_rejected & ~F.col("is_anonymous")).alias("accepted"),
        F.count_if(F.col("is_anonymous")).alias("anonymous"),
        *(
            F.count_if(F.coalesce(F.col("reason") == reason, F.lit(False))).alias(reason)
            for reason in REASONS
        ),
    ]


def build_events(classified: DataFrame, batch: int) -> DataFrame:
    """The accepted events of a batch.

    Grain: one line. An event that was delivered twice is here twice, with the same hash.
    """
    record = F.col("record")
    event_ts = F.timestamp_millis(record.ts.cast("long"))
    agent = record.userAgent
    accepted = classified.filter(F.col("reason").isNull() & ~F.col("is_anonymous"))
    return conform(
        accepted.select(
            F.to_date(event_ts).alias("event_date"),
            event_ts.alias("event_ts"),
            parse.strip(record.userId).alias("user_id"),
            record.sessionId.cast("long").alias("session_id"),
            record.itemInSession.cast("long").alias("item_in_session"),
            record.page.alias("page"),
            record.auth.alias("auth"),
            record.level.alias("level"),
            record.length.alias("song_seconds"),
            F.timestamp_millis(record.registration.cast("long")).alias("registered_ts"),
            record.gender.alias("gender"),
            _state_of(record.location).alias("location"),
            os_of(agent).alias("os"),
            browser_of(agent).alias("browser"),
            _hash_record().alias("event_hash"),
            F.col("source_file"),
            F.lit(batch).cast("long").alias("ingest_batch"),
        ),
        EVENTS,
    )


def build_quarantine(classified: DataFrame, batch: int, max_chars: int) -> DataFrame:
    """The rejected lines of a batch, each with its reason.

    Grain: one line, cut to `max_chars`.
    """
    return conform(
        classified.filter(F.col("reason").isNotNull()).select(
            F.substring("value", 1, max_chars).alias("raw"),
            F.col("reason"),
            F.octet_length("value").cast("long").alias("line_bytes"),
            F.col("source_file"),
            F.lit(batch).cast("long").alias("ingest_batch"),
        ),
        QUARANTINE,
    )


def _is_anonymous(anonymous_user_ids: tuple[str, ...]) -> Column:
    user_id = parse.strip(F.coalesce(F.col("record.userId"), F.lit("")))
    return user_id.isin(*ANONYMOUS_IDS, *anonymous_user_ids)


def _has_wild_number(latest: int) -> Column:
    """Numbers that no real record has: negative, infinite, fractional where they count."""
    session, item = F.col("record.sessionId"), F.col("record.itemInSession")
    is_wild = ~F.col("record.registration").between(0, latest)
    is_wild |= ~F.col("record.length").between(0, MAX_SONG_SECONDS)
    for count in (session, item):
        is_wild |= ~count.between(0, MAX_COUNT) | (count != F.floor(count))
    return F.coalesce(is_wild, F.lit(False))


def _state_of(location: Column) -> Column:
    """`New York-Newark-Jersey City, NY-NJ-PA` -> `NY`; null where nothing is left."""
    states = F.substring_index(location, ",", -1)
    state = parse.strip(F.substring_index(parse.strip(states), "-", 1))
    return F.when(state != "", state)


def _hash_record() -> Column:
    """64 bits of all fields; a null is hashed like a value that no record has, never skipped."""
    numbers = [F.coalesce(F.col(f"record.{name}"), F.lit(NO_NUMBER)) for name in NUMBERS]
    texts = [F.coalesce(F.col(f"record.{name}"), F.lit(NO_TEXT)) for name in TEXTS]
    return F.xxhash64(*numbers, *texts)
