"""When a night is late: by the clock of a zone, by what has finished, and once for each time."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from churn_spark.config import ScheduleConfig, load_config
from churn_spark.contracts.tables import DECISIONS
from churn_spark.errors import ConfigError
from churn_spark.monitoring.freshness.episodes import update_episode
from churn_spark.monitoring.freshness.lateness import (
    EndedRun,
    Lateness,
    describe_nights,
    due_at,
    judge_nights,
    newest_finished,
)

ALERTS = load_config().alerts
KNOWN = load_config().schedule.model_dump() | {"expected_by": "06:00"}
MONDAY = date(2026, 3, 2)


def schedule(**changes: Any) -> ScheduleConfig:
    return ScheduleConfig.model_validate(KNOWN | changes)


def at(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 3, day, hour, minute, tzinfo=UTC)


def judge(newest: date | None, now: datetime, **changes: Any) -> Lateness:
    found = judge_nights(newest, schedule(**changes), now)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("zone", "hour", "due"),
    [
        ("UTC", "06:00", "2026-03-02 06:00"),
        ("UTC", "00:00", "2026-03-02 00:00"),
        ("Europe/Berlin", "06:00", "2026-03-02 05:00"),
        # There the clock shows it in the evening of Sunday, before the date has begun.
        ("Europe/Berlin", "00:30", "2026-03-02 23:30"),
        ("America/Los_Angeles", "06:00", "2026-03-02 14:00"),
        ("Asia/Tokyo", "06:00", "2026-03-02 21:00"),
        ("Pacific/Kiritimati", "23:59", "2026-03-02 09:59"),
    ],
)
def test_night_is_due_when_the_clock_of_the_zone_next_shows_the_hour(
    zone: str, hour: str, due: str
) -> None:
    found = due_at(MONDAY, schedule(time_zone=zone, expected_by=hour))
    assert f"{found:%Y-%m-%d %H:%M}" == due


def test_hour_follows_the_clocks_when_they_are_set() -> None:
    berlin = schedule(time_zone="Europe/Berlin")
    # Summer time begins on 2026-03-29.
    assert due_at(date(2026, 3, 28), berlin) == datetime(2026, 3, 28, 5, tzinfo=UTC)
    assert due_at(date(2026, 3, 29), berlin) == datetime(2026, 3, 29, 4, tzinfo=UTC)
    # An hour that the clock skips.
    skipped = schedule(time_zone="Europe/Berlin", expected_by="02:30")
    assert due_at(date(2026, 3, 29), skipped) == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)


@given(
    st.dates(date(2020, 1, 1), date(2030, 1, 1)),
    st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"]),
    st.times().map(lambda one: f"{one:%H:%M}"),
)
def test_each_night_is_due_within_two_days_of_its_beginning_and_not_before_the_last(
    night: date, zone: str, hour: str
) -> None:
    config = schedule(time_zone=zone, expected_by=hour)
    due, following = due_at(night, config), due_at(night + timedelta(days=1), config)
    assert due
    assert following
    begins = datetime(night.year, night.month, night.day, tzinfo=UTC)
    assert begins <= due < begins + timedelta(days=1, hours=2)
    assert due <= following


@pytest.mark.parametrize(
    ("newest", "now", "missed", "seconds"),
    [
        (MONDAY, at(2, 12), None, 0),
        # Tuesday's is due at 6, and late from 7 on.
        (MONDAY, at(3, 7), None, 0),
        (MONDAY, at(3, 7, 1), date(2026, 3, 3), 3660),
        (date(2026, 3, 3), at(3, 7, 1), None, 0),
        # Three nights are missing: late since the first of them.
        (MONDAY, at(5, 8), date(2026, 3, 3), 2 * 86_400 + 7200),
        # Done before its date has begun.
        (date(2026, 3, 4), at(3, 8), None, 0),
        (None, at(3, 8), date(2026, 3, 3), 7200),
    ],
)
def test_night_is_late_from_the_tolerance_after_its_hour_on(
    newest: date | None, now: datetime, missed: date | None, seconds: float
) -> None:
    found = judge(newest, now)
    assert (found.first_missed, found.seconds_late) == (missed, seconds)


def test_log_that_comes_a_day_late_has_its_night_a_day_later() -> None:
    assert not judge(MONDAY, at(3, 8), days_behind=1).is_late
    assert judge(MONDAY, at(4, 8), days_behind=1).first_missed == date(2026, 3, 3)


def test_nothing_is_late_where_nothing_is_expected() -> None:
    config = load_config().schedule
    assert judge_nights(date(2018, 12, 1), config, at(3, 8)) is None
    assert describe_nights(date(2018, 12, 1), config, at(3, 8)) == (
        "the newest finished night is of 2018-12-01; none is expected: schedule.expected_by is "
        "not set"
    )


def test_sentence_says_what_was_found_expected_and_what_to_do() -> None:
    assert judge(MONDAY, at(2, 8)).describe() == (
        "the newest finished night is of 2026-03-02; the next one is expected by 2026-03-03 "
        "06:00 UTC"
    )
    way_out = ": see what `nightly` has said, or whether it was started at all, and run it"
    assert judge(MONDAY, at(3, 8)).describe() == (
        "the newest finished night is of 2026-03-02, expected that of 2026-03-03 by 2026-03-03 "
        f"06:00 UTC, 2.0 hours ago{way_out}"
    )
    assert judge(None, at(3, 8)).describe().startswith("no night has finished so far, expected")
    assert "expected 3 nights, 2026-03-03 to 2026-03-05, by 2026-03-03 06:00 UTC, 2.1 days ago" in (
        judge(MONDAY, at(5, 8)).describe()
    )


RUNS = {
    "done": EndedRun("nightly", MONDAY, 0),
    "with an alert": EndedRun("nightly", MONDAY, 10),
    "asked to retrain": EndedRun("nightly", MONDAY, 20),
    "held": EndedRun("nightly", MONDAY, 30, started=at(2, 1)),
    "a demo": EndedRun("demo", MONDAY, 0),
    "step by step": EndedRun("retrain_if_needed", MONDAY, 0, frozenset({DECISIONS.path})),
}
OTHERS = {
    "crashed": EndedRun("nightly", MONDAY, 1),
    "refused": EndedRun("nightly", MONDAY, 2),
    "locked out": EndedRun("nightly", MONDAY, 40),
    "undated": EndedRun("nightly", None, 0),
    "only asked": EndedRun("retrain_if_needed", MONDAY, 20),
    "a step": EndedRun("score_users", MONDAY, 0),
    "mistyped": EndedRun("nightly", date(2062, 3, 2), 0),
    "mistyped by a day, and held": EndedRun("nightly", MONDAY, 30, started=at(1, 8)),
}


@pytest.mark.parametrize("what", [*RUNS, *OTHERS])
def test_night_has_finished_when_it_has_come_to_its_end(what: str) -> None:
    runs = RUNS | OTHERS
    assert newest_finished([runs[what]], at(2, 8)) == (MONDAY if what in RUNS else None)


def test_notice_is_sent_once_however_often_it_is_looked_at() -> None:
    begun, notice = update_episode(None, judge(MONDAY, at(3, 8)), ALERTS)
    assert begun
    assert notice
    assert (notice.change, notice.alert.severity, notice.alert.key) == (
        "opened", "critical", "night:late",
    )  # fmt: skip
    told = begun.told(at(3, 8))
    again, silence = update_episode(told, judge(MONDAY, at(4, 8)), ALERTS)
    assert silence is None
    assert again
    assert (again.first_night, again.last_night) == (date(2026, 3, 3), date(2026, 3, 4))
    _, reminder = update_episode(told, judge(MONDAY, at(10, 8)), ALERTS)
    assert reminder
    assert reminder.change == "reminder"
    ended, end = update_episode(told, judge(date(2026, 3, 4), at(4, 9)), ALERTS)
    assert ended
    assert end
    assert (ended.ended_ts, end.change, end.alert.resolved) == (
        at(4, 9),
        "resolved",
        at(4, 9).date(),
    )


def test_notice_that_did_not_arrive_is_sent_at_the_next_look() -> None:
    begun, _ = update_episode(None, judge(MONDAY, at(3, 8)), ALERTS)
    _, notice = update_episode(begun, judge(MONDAY, at(3, 9)), ALERTS)
    assert notice
    assert notice.change == "opened"
    # Of an end nobody is told who has not heard of the beginning.
    ended, silence = update_episode(begun, judge(date(2026, 3, 3), at(3, 10)), ALERTS)
    assert ended
    assert (ended.ended_ts, silence) == (at(3, 10), None)


def test_nothing_is_said_of_nights_that_come() -> None:
    assert update_episode(None, judge(MONDAY, at(2, 8)), ALERTS) == (None, None)


@pytest.mark.parametrize(
    ("override", "found"),
    [
        ("schedule.expected_by=25:00", "schedule.expected_by"),
        ("schedule.expected_by=6", "schedule.expected_by"),
        ("schedule.expected_by=true", "schedule.expected_by"),
        ("schedule.time_zone=Berlin", "Europe/Berlin"),
        ("schedule.time_zone=Europe", "Europe/Berlin"),
        ("schedule.time_zone=", "time_zone"),
        ("schedule.tolerance_minutes=-1", "tolerance_minutes"),
    ],
)
def test_schedule_that_does_not_fit_is_refused(override: str, found: str) -> None:
    with pytest.raises(ConfigError, match=found):
        load_config(overrides=[override])


@pytest.mark.parametrize("hour", ["06:00", "10:30", '"23:05"'])
def test_hour_may_be_written_without_quotes(hour: str) -> None:
    config = load_config(overrides=[f"schedule.expected_by={hour}"])
    assert config.schedule.expected_by == hour.strip('"')
