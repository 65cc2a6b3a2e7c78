"""What the data checks are told, from facts of days whose events are known by hand."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta
from itertools import chain

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from churn_spark.contracts.event_facts import MAX_VALUE_CHARS, MAX_VALUES, OTHERS
from churn_spark.features.event_days import build_event_days
from churn_spark.monitoring.data_quality.checks import FeedFacts
from churn_spark.monitoring.data_quality.event_days import (
    EventDays,
    measure_events,
    measure_feed,
)

NIGHT = date(2018, 11, 13)
START = date(2018, 11, 1)
SCHEMA = {
    "event_date": pl.Date,
    "event_ts": pl.Datetime("us", "UTC"),
    "user_id": pl.String,
    "item_in_session": pl.Int64,
    "page": pl.String,
    "auth": pl.String,
    "level": pl.String,
    "song_seconds": pl.Float64,
    "registered_ts": pl.Datetime("us", "UTC"),
    "gender": pl.String,
    "location": pl.String,
    "os": pl.String,
    "browser": pl.String,
    "event_hash": pl.Int64,
    "ingest_batch": pl.Int64,
}
Event = dict[str, object]


def event(days_before: int, batch: int, number: int = 0, **changes: object) -> Event:
    """An event at noon, so many days before the night, each `number` another one."""
    day = NIGHT - timedelta(days=days_before)
    return {
        **dict.fromkeys(SCHEMA),
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


def days_of(*groups: list[Event]) -> EventDays:
    """The facts of groups of users that are counted apart."""
    rows = pl.concat(build_event_days(pl.DataFrame(one, schema=SCHEMA)) for one in groups)
    return EventDays.of(rows.select("event_date", "fact", "value", "n").rows())


def test_newest_day_is_counted_with_its_weekdays_and_its_batches() -> None:
    days = days_of(
        [
            *(event(1, 5, number) for number in range(4)),
            event(1, 6),
            *(event(8, 2, number) for number in range(3)),
            event(2, 4),
            event(0, 7),
        ]
    )
    assert days.batches(NIGHT - timedelta(days=1)) == {"5", "6"}
    # The fifth event of the day is the first one again, by another batch.
    assert measure_feed(days, 2, START, NIGHT) == FeedFacts(
        5, (3,), 12.0, 7, 2, 1, usual_hours_behind=(12.0, 12.0)
    )


def test_events_out_of_place_are_counted_by_the_batches_that_have_delivered_the_day() -> None:
    days = days_of([event(1, 5), event(900, 5), event(-900, 4), event(-901, 5, 1)])
    wrong = [NIGHT - timedelta(days=n) for n in (900, -900, -901)]
    found = measure_feed(days, 0, START, NIGHT, misdated=wrong)
    assert (found.n_misdated, found.n_misdated_ever, found.n_lines) == (2, 3, 3)


def test_days_without_events_are_known_to_have_none() -> None:
    found = measure_feed(days_of([event(3, 1), event(10, 1)]), 0, START, NIGHT)
    assert found == FeedFacts(0, (0,), 60.0, 0, 0, 0, usual_hours_behind=(12.0, 12.0))
    # With a week around it that has none either, the same weekday says nothing.
    alone = measure_feed(days_of([event(3, 1)]), 0, START, NIGHT)
    assert alone == FeedFacts(0, (), 60.0, 0, 0, 0, usual_hours_behind=(12.0,))
    assert measure_feed(days_of([]), 0, START, NIGHT).hours_behind == math.inf


@pytest.mark.parametrize(("days_before", "is_backfill"), [(8, False), (9, True)])
def test_day_that_came_with_weeks_before_is_a_backfill(days_before: int, is_backfill: bool) -> None:
    days = days_of([event(1, 3), event(days_before, 3), event(12, 1)])
    assert measure_feed(days, 0, START, NIGHT).is_backfill is is_backfill


def test_one_late_event_does_not_make_the_day_a_backfill() -> None:
    days = days_of([*(event(1, 3, number) for number in range(3)), event(9, 3)])
    assert not measure_feed(days, 0, START, NIGHT).is_backfill


def test_newest_moment_is_that_of_all_groups() -> None:
    late = datetime(2018, 11, 12, 23, tzinfo=UTC)
    days = days_of([event(1, 1, 1, event_ts=late)], [event(1, 1, 2), event(0, 1)])
    assert measure_feed(days, 0, START, NIGHT).hours_behind == 1.0


def test_fields_and_values_are_compared_with_the_week_before() -> None:
    days = days_of(
        [
            event(1, 2, os=None, song_seconds=None),
            # No song: it has no length, and nobody misses it.
            event(1, 2, 1, page="Listen", song_seconds=None),
            event(3, 1),
            event(8, 1, 1, os=None),
            # More than a week before: "Listen" is new, and this null isn't counted.
            event(9, 1, 2, page="Listen", os=None),
        ]
    )
    found = {facts.column: facts for facts in measure_events(days, NIGHT)}
    assert found["events.os"].n_rows == (2, 2)
    assert found["events.os"].n_null == (1, 1)
    assert found["events.os"].n_unseen is None
    assert found["events.page"].n_unseen == (0, 1)
    assert found["events.level"].n_unseen == (0, 0)
    assert found["events.gender"].n_null == (2, 2)
    assert found["events.song_seconds"].n_rows == (2, 1)
    assert found["events.song_seconds"].n_null == (0, 1)


def test_pages_that_are_free_text_are_counted_together_beyond_the_most_frequent_ones() -> None:
    pages = [f"/user/{number:03}" for number in range(MAX_VALUES + 20)]
    usual = [event(3, 1, number, page=page) for number, page in enumerate(pages)]
    songs = [event(3, 1, 1000 + number) for number in range(5)]
    tonight = [event(1, 2, number, page=f"{page} again") for number, page in enumerate(pages)]
    renamed = [event(1, 2, 1000 + number, page="Play") for number in range(30)]
    days = days_of([*usual, *songs, *tonight, *renamed, event(1, 2, 2000, page="x" * 10_000)])
    for back, largest in ((3, {"NextSong": 5, OTHERS: 21}), (1, {"Play": 30, OTHERS: 22})):
        counted = days.values(NIGHT - timedelta(days=back), "page")
        assert len(counted) == MAX_VALUES + 1
        assert max(map(len, counted)) <= MAX_VALUE_CHARS
        assert {value: n for value, n in counted.items() if n > 1} == largest
    found = {facts.column: facts for facts in measure_events(days, NIGHT)}
    # A name that 21 nameless events of a day may have had isn't new; one that 30 have is.
    assert found["events.page"].n_unseen == (0, 30)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 2)), max_size=30))
def test_groups_add_up_to_all_events(drawn: list[tuple[int, int, int]]) -> None:
    users = [
        [event(days, batch, user, user_id=str(user)) for days, batch, user in drawn if user == one]
        for one in range(3)
    ]
    apart, together = days_of(*users), days_of([*chain.from_iterable(users)])
    assert apart == together
    for back in range(4):
        of_day = [user for days, _, user in drawn if days == back]
        day = [NIGHT - timedelta(days=back)]
        assert apart.sum(day, "event") == len(of_day)
        assert apart.sum(day, "event_once") == len(set(of_day))
        assert apart.sum(day, "user") == len(set(of_day))
        assert apart.sum(day, "cancelled") == 0


def test_user_who_cancels_is_counted_once_however_often_it_is_told() -> None:
    confirmation = "Cancellation Confirmation"
    first = [event(1, 1, n, page=page) for n, page in enumerate(["Cancel", *2 * [confirmation]])]
    doubled = [event(1, 2, 2, page=confirmation)]
    other = [event(1, 1, user_id="8", page=confirmation), event(2, 1, user_id="8")]
    found = days_of([*first, *doubled], other)
    by_day = [[NIGHT - timedelta(days=back)] for back in (1, 2)]
    assert [found.sum(day, "user") for day in by_day] == [2, 1]
    assert [found.sum(day, "cancelled") for day in by_day] == [2, 0]
