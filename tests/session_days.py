"""Session days for tests: any log as rows, with all that makes totals of them awkward."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
from hypothesis import strategies as st

from churn_spark.contracts.features.sources import MAX_ITEM, PAGE_COUNTS
from churn_spark.contracts.tables import SESSION_DAYS
from churn_spark.lakehouse.polars_schema import polars_schema_of

START = date(2018, 10, 1)
_N_DAYS = 90


def session_days_of(rows: Iterable[Mapping[str, Any]]) -> pl.DataFrame:
    """Rows as the frame that is read from the table; counts that aren't given are 0."""
    zeros = {c.name: 0 for c in SESSION_DAYS.columns if c.name.startswith("n_")}
    whole = [{**zeros, "listened_micros": 0, **row} for row in rows]
    return pl.DataFrame(whole, schema=polars_schema_of(SESSION_DAYS))


def instant(day: date, hour: int) -> datetime:
    """An hour of a date, UTC."""
    return datetime(day.year, day.month, day.day, hour, tzinfo=UTC)


@st.composite
def _session_day(draw: st.DrawFn) -> dict[str, Any]:
    day = START + timedelta(days=draw(st.integers(0, _N_DAYS - 1)))
    n_events = draw(st.sampled_from([0, 1, 1, 3]))
    row: dict[str, Any] = {
        "event_date": day,
        "user_id": draw(st.sampled_from("abc")),
        "session_id": draw(st.integers(1, 4)),
        "n_events": n_events,
        **{name: draw(st.integers(0, 2)) * min(n_events, 1) for name in PAGE_COUNTS},
        "listened_micros": draw(st.integers(0, 10**12)) * min(n_events, 1),
    }
    # A day on which a session has no event but Cancel has no first and last instant.
    if n_events and draw(st.booleans()):
        first, last = sorted(draw(st.tuples(st.integers(0, 23), st.integers(0, 23))))
        row |= {"first_ts": instant(day, first), "last_ts": instant(day, last)}
    if draw(st.integers(0, 19)) == 0:
        row["cancel_ts"] = instant(day, draw(st.integers(0, 23)))
    return row | (draw(_profile(day)) if n_events else {})


@st.composite
def _profile(draw: st.DrawFn, day: date) -> dict[str, Any]:
    """What a session tells of its user; instants are few, so that sessions tie."""

    def seen() -> int:
        hour = draw(st.sampled_from([0, 23]))
        return int(instant(day, hour).timestamp() * 1000) * (MAX_ITEM + 1) + draw(st.integers(0, 1))

    told: dict[str, Any] = {}
    if draw(st.booleans()):
        told |= {"level": draw(st.sampled_from(["free", "paid"])), "level_seen": seen()}
    if draw(st.booleans()):
        told |= {"gender": draw(st.sampled_from("FM")), "gender_seen": seen()}
    if draw(st.booleans()):
        told |= {"location": draw(st.sampled_from(["AZ", "MA"])), "location_seen": seen()}
    if draw(st.booleans()):
        browser = draw(st.sampled_from(["Chrome", "Safari", None]))
        told |= {"os": "macOS", "browser": browser, "agent_seen": seen()}
    if draw(st.booleans()):
        registered = instant(START - timedelta(days=draw(st.integers(0, 40))), 5)
        told |= {"registered_ts": registered, "registration_seen": seen()}
    return told


def logs(min_size: int = 0, max_size: int = 40) -> st.SearchStrategy[pl.DataFrame]:
    """Logs of some users over three months: sessions that come back after weeks, ties, silences."""
    key = ("user_id", "session_id", "event_date")
    rows = st.lists(
        _session_day(),
        min_size=min_size,
        max_size=max_size,
        unique_by=lambda row: tuple(row[name] for name in key),
    )
    return rows.map(session_days_of)


def dates() -> st.SearchStrategy[date]:
    """Dates of those logs, and some days around."""
    return st.integers(-3, _N_DAYS + 70).map(lambda days: START + timedelta(days=days))
