"""Events as a Polars frame, by the oracle's reading of records, and what they roll up to."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
from pyspark.sql import DataFrame

from churn_spark.contracts.tables import EVENTS
from churn_spark.features.ordered_events import order_events
from churn_spark.features.rollups import SESSION_DAY_ROLLUP, TRANSITION_ROLLUP, roll_up_frame
from churn_spark.lakehouse.polars_schema import polars_schema_of
from tests import oracles

N_BUCKETS = 4
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def event_frame(records: Iterable[Mapping[str, Any]], source_file: str = "log") -> pl.DataFrame:
    """The events of known users, in the order of their records, repeated ones repeated."""
    rows = [
        {**_columns_of(one, event), "source_file": source_file, "ingest_batch": 0}
        for one in records
        for event in oracles.accept_events([one])
    ]
    return pl.DataFrame(rows, schema=polars_schema_of(EVENTS), strict=False)


def session_days_of(events: pl.DataFrame) -> dict[tuple[Any, ...], dict[str, Any]]:
    """Session days by user, session and date, instants as milliseconds."""
    rows = SESSION_DAY_ROLLUP.build(order_events(events))
    instants = pl.selectors.datetime().dt.epoch("ms")
    return _by_key(rows.with_columns(instants), "user_id", "session_id", "event_date")


def transitions_of(events: pl.DataFrame) -> dict[tuple[Any, ...], tuple[int, int]]:
    """Count and milliseconds by user, date, level, page and next page."""
    rows = TRANSITION_ROLLUP.build(order_events(events))
    keyed = _by_key(rows, "user_id", "event_date", "level", "page", "next_page")
    return {key: (row["n_transitions"], row["total_millis"]) for key, row in keyed.items()}


def build_session_days(events: DataFrame) -> DataFrame:
    """Session days as a Spark frame."""
    return roll_up_frame(events, SESSION_DAY_ROLLUP)


def build_transitions(events: DataFrame) -> DataFrame:
    """Transitions as a Spark frame."""
    return roll_up_frame(events, TRANSITION_ROLLUP)


def _by_key(rows: pl.DataFrame, *key: str) -> dict[tuple[Any, ...], dict[str, Any]]:
    keyed = {
        tuple(row[name] for name in key): {k: v for k, v in row.items() if k not in key}
        for row in rows.iter_rows(named=True)
    }
    assert len(keyed) == rows.height, "the key is not unique"
    return keyed


def _columns_of(record: Mapping[str, Any], event: oracles.Event) -> dict[str, Any]:
    item, end = record.get("itemInSession"), record.get("subscribedUntil")
    return {
        "event_date": event.day,
        "event_ts": _EPOCH + timedelta(milliseconds=event.ts),
        "user_id": event.user_id,
        "session_id": event.session_id,
        "item_in_session": None if item is None else int(item),
        "page": event.page,
        "auth": event.auth,
        "level": event.level,
        "song_seconds": event.length,
        "registered_ts": (
            None
            if event.registration is None
            else _EPOCH + timedelta(milliseconds=event.registration)
        ),
        "gender": event.gender,
        "location": event.location,
        "os": event.os,
        "browser": event.browser,
        "subscribed_until_ts": None if end is None else _EPOCH + timedelta(milliseconds=end),
        "event_hash": _hash_of(oracles.fields_of(record)),
        "bucket": zlib.crc32(event.user_id.encode()) % N_BUCKETS,
    }


def _hash_of(fields: tuple[Any, ...]) -> int:
    digest = hashlib.blake2b(repr(fields).encode(), digest_size=8).digest()
    return int.from_bytes(digest, signed=True)
