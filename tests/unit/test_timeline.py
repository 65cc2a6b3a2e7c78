"""Windows are half-open, a label is known only when the log covers its window."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from churn_spark.timeline import (
    MILLIS_PER_DAY,
    Horizon,
    day_start,
    day_start_millis,
    days_after,
    parse_date,
    weekly_dates,
)

DATES = st.dates(date(2000, 1, 1), date(2099, 12, 31))
HORIZONS = st.builds(Horizon, days=st.integers(1, 60), gap_days=st.integers(0, 10))


@given(day=DATES)
def test_date_is_read_as_it_is_written(day: date) -> None:
    assert parse_date(str(day)) == day


@pytest.mark.parametrize(
    "text", ["20181001", "2018-W40-1", "2018-02-30", "2018-11-1", "２０１８-11-01", "now", ""]
)
def test_date_is_refused_when_it_is_written_otherwise(text: str) -> None:
    with pytest.raises(ValueError, match=f"found '{text}', expected YYYY-MM-DD"):
        parse_date(text)


def test_day_starts_at_midnight_utc() -> None:
    assert day_start(date(2018, 10, 1)) == datetime(2018, 10, 1, tzinfo=UTC)


def test_day_start_millis_when_the_instant_is_known() -> None:
    assert day_start_millis(date(1970, 1, 1)) == 0
    assert day_start_millis(date(2018, 10, 1)) == 1_538_352_000_000


@given(day=DATES)
def test_both_day_starts_are_the_same_instant(day: date) -> None:
    assert day_start_millis(day) == day_start(day).timestamp() * 1000
    assert day_start_millis(days_after(day, 1)) - day_start_millis(day) == MILLIS_PER_DAY


def test_days_after_crosses_a_leap_day() -> None:
    assert days_after(date(2020, 2, 28), 2) == date(2020, 3, 1)


def test_window_begins_after_the_gap_and_leaves_its_end_out() -> None:
    horizon, as_of = Horizon(days=14, gap_days=1), date(2018, 10, 1)
    assert horizon.start(as_of) == date(2018, 10, 2)
    assert horizon.end(as_of) == date(2018, 10, 16)


def test_window_begins_at_the_date_when_there_is_no_gap() -> None:
    assert Horizon(days=10, gap_days=0).start(date(2018, 10, 1)) == date(2018, 10, 1)


@given(horizon=HORIZONS, as_of=DATES)
def test_windows_of_consecutive_horizons_meet_without_overlap(
    horizon: Horizon, as_of: date
) -> None:
    following = Horizon(horizon.days, horizon.gap_days + horizon.days)
    assert following.start(as_of) == horizon.end(as_of)
    assert (horizon.end(as_of) - horizon.start(as_of)).days == horizon.days


@pytest.mark.parametrize(
    ("known_by", "expected"),
    [(date(2018, 10, 15), False), (date(2018, 10, 16), True), (date(2018, 10, 17), True)],
)
def test_label_is_known_when_all_of_its_window_is(known_by: date, expected: bool) -> None:
    assert Horizon(days=14, gap_days=1).is_known(date(2018, 10, 1), known_by) is expected


@given(horizon=HORIZONS, known_by=DATES)
def test_newest_known_is_the_last_date_that_is_known(horizon: Horizon, known_by: date) -> None:
    newest = horizon.newest_known(known_by)
    assert horizon.is_known(newest, known_by)
    assert not horizon.is_known(newest + timedelta(days=1), known_by)


def test_weekly_dates_include_both_bounds() -> None:
    mondays = list(weekly_dates(date(2018, 10, 1), date(2018, 10, 15), 0))
    assert mondays == [date(2018, 10, 1), date(2018, 10, 8), date(2018, 10, 15)]


@pytest.mark.parametrize("last", [date(2018, 10, 6), date(2018, 9, 1)])
def test_weekly_dates_are_none_when_the_weekday_is_not_reached(last: date) -> None:
    assert list(weekly_dates(date(2018, 10, 1), last, 6)) == []


@given(first=DATES, length=st.integers(-10, 200), weekday=st.integers(0, 6))
def test_weekly_dates_are_every_date_of_the_weekday_within_the_bounds(
    first: date, length: int, weekday: int
) -> None:
    every_day = [first + timedelta(days=i) for i in range(length + 1)]
    found = list(weekly_dates(first, first + timedelta(days=length), weekday))
    assert found == [day for day in every_day if day.weekday() == weekday]


@given(first=DATES, later=st.integers(0, 30), weekday=st.integers(0, 6))
def test_weekly_dates_are_shared_when_the_span_begins_later(
    first: date, later: int, weekday: int
) -> None:
    last = first + timedelta(days=100)
    whole = set(weekly_dates(first, last, weekday))
    assert set(weekly_dates(first + timedelta(days=later), last, weekday)) <= whole
