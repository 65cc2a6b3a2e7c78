"""More or fewer cancellations than in the weeks before, from the counts of the log alone."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from night_builders import LAST, NAMES, build_nights
from nights import decided
from pages import read
from scipy import stats

from churn_spark.config import load_config
from churn_spark.contracts.event_facts import CANCELLED, EVENT, USER
from churn_spark.contracts.registry_state import RegistryState
from churn_spark.contracts.tables import EVENT_DAYS, PERFORMANCE
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.monitoring.alerts.cancellations import find_in_cancellations
from churn_spark.monitoring.data_quality.event_days import EventDays
from churn_spark.monitoring.performance.cancellations import (
    CANCELLATIONS,
    Cancellations,
    cancellation_row,
    count_cancellations,
    describe_cancellations,
)
from churn_spark.monitoring.policy.evidence import Evidence
from churn_spark.monitoring.policy.policy import start_policy
from churn_spark.pipeline.cancellations import measure_cancellations
from churn_spark.pipeline.dates import LogDates
from churn_spark.pipeline.gather import Night
from churn_spark.pipeline.monitor import Drift
from churn_spark.pipeline.notify import notify
from churn_spark.reports.night.page import render_night
from churn_spark.reports.night.words import alert_name
from churn_spark.timeline import LogSpan, days_between
from tests.local_lakehouse import open_local

CONFIG = load_config()
START, NIGHT = date(2025, 11, 3), date(2026, 3, 2)
TRIPLED = Cancellations(n_recent=120, n_before=160, days_recent=7_000, days_before=28_000)
WEEK = NIGHT - timedelta(days=7)
counts = st.integers(0, 300)
users = st.integers(1, 10**7)


def days_of(
    n_cancels: Callable[[date], int], n_users: Callable[[date], int] = lambda _: 1000
) -> EventDays:
    """A log from START on to NIGHT, a day that isn't over yet."""
    return EventDays.of(
        row
        for day in days_between(START, NIGHT)
        for row in (
            (day, USER, "", n_users(day)),
            (day, CANCELLED, "", n_cancels(day)),
            (day, EVENT, "", 7 * n_users(day)),
        )
    )


def weeks_of(*n_cancels: int) -> EventDays:
    """The newest week's cancellations a day, those of the week before it, and so on; then many."""
    by_week = dict(enumerate(n_cancels))
    return days_of(lambda day: by_week.get(((NIGHT - day).days - 1) // 7, 10**6))


def found_keys(found: Cancellations, **changes: Any) -> list[str]:
    config = CONFIG.alerts.model_copy(update=changes)
    row = cancellation_row(found, NIGHT)
    return [finding.key for finding in find_in_cancellations([row], config)]


def test_week_is_held_against_the_rate_of_the_two_middle_ones_of_six_before() -> None:
    found = count_cancellations(weeks_of(20, 1, 9, 5, 6, 2, 8), NIGHT, START)
    assert found == Cancellations(140, 77, 7_000, 14_000)
    assert found.n_expected == pytest.approx(38.5)
    assert found.ratio()[0] == pytest.approx(140 / 38.5)


def test_rates_are_by_users_of_each_day() -> None:
    doubled = days_of(
        lambda day: 10 if day >= WEEK else 5, lambda day: 2000 if day >= WEEK else 1000
    )
    found = count_cancellations(doubled, NIGHT, START)
    assert found
    assert found.ratio()[0] == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("age", "n_before"),
    [(20, None), (21, 70), (28, 105), (35, 70), (42, 105), (48, 105), (49, 70), (90, 70)],
)
def test_weeks_before_are_whole_and_of_the_log_and_at_least_two(
    age: int, n_before: int | None
) -> None:
    night = START + timedelta(days=age)
    found = count_cancellations(days_of(lambda _: 5), night, START)
    assert (found.n_before if found else None) == n_before


def test_days_that_have_not_come_in_or_are_broken_count_on_no_side() -> None:
    gone = {NIGHT - timedelta(days=back) for back in (2, 9, 16, 23, 30, 37, 44)}

    def n_users(day: date) -> int:
        return 0 if day in gone else 1000

    silent = days_of(lambda day: 0 if day in gone else 5, n_users)
    found = count_cancellations(silent, NIGHT, START)
    assert found == Cancellations(30, 60, 6_000, 12_000)
    broken = days_of(lambda day: 500 if day in gone else 5)
    assert count_cancellations(broken, NIGHT, START, gone) == found


def test_nothing_is_told_without_any_cancellation_or_any_user_of_the_week() -> None:
    assert count_cancellations(days_of(lambda _: 0), NIGHT, START) is None
    silent = days_of(lambda _: 5, lambda day: 0 if day >= WEEK else 1000)
    assert count_cancellations(silent, NIGHT, START) is None
    # Counted by an older release: the users of these days aren't known.
    for known, is_told in ((17, False), (18, True)):
        since = NIGHT - timedelta(days=known)
        upgraded = days_of(lambda _: 5, lambda day, since=since: 1000 * (day >= since))  # type: ignore[misc]
        assert (count_cancellations(upgraded, NIGHT, START) is not None) == is_told


@given(counts, counts, users, users)
def test_interval_has_the_rates_at_which_so_many_are_just_beyond_chance(
    n_recent: int, n_before: int, days_recent: int, days_before: int
) -> None:
    n = n_recent + n_before
    if not n:
        return
    value, low, high = Cancellations(n_recent, n_before, days_recent, days_before).ratio()
    assert low <= value <= high

    def share(ratio: float) -> float:
        return ratio * days_recent / (ratio * days_recent + days_before)

    if n_recent:
        beyond = stats.binom.sf(n_recent - 1, n, share(low))
        assert beyond == pytest.approx(0.0005, rel=1e-4)
    else:
        assert low == 0
    if n_before:
        assert stats.binom.cdf(n_recent, n, share(high)) == pytest.approx(0.0005, rel=1e-4)
    else:
        assert high == math.inf


@given(counts, counts, users, users)
def test_weeks_the_other_way_round_are_the_inverse_and_more_events_change_nothing(
    n_recent: int, n_before: int, days_recent: int, days_before: int
) -> None:
    if not n_recent or not n_before:
        return
    found = Cancellations(n_recent, n_before, days_recent, days_before)
    value, low, high = found.ratio()
    turned = Cancellations(n_before, n_recent, days_before, days_recent).ratio()
    assert turned == pytest.approx((1 / value, 1 / high, 1 / low))
    busier = replace(found, days_recent=3 * days_recent, days_before=3 * days_before)
    assert busier.ratio() == pytest.approx((value, low, high))
    assert found.n_expected * value == pytest.approx(n_recent)


def test_a_sure_change_is_a_warning_in_either_direction() -> None:
    [more] = find_in_cancellations([cancellation_row(TRIPLED, NIGHT)], CONFIG.alerts)
    assert (more.key, more.severity) == ("cancellations:more", "warning")
    assert more.sentence == (
        "120 users have cancelled in the 7 days before 2026-03-02, 40.0 expected at the rate of "
        "the weeks before: 3.00 times the usual rate (99.9 % interval 1.99 to 4.48); probabilities "
        "are likely too low until a model has learnt from these days"
    )
    gone = replace(TRIPLED, n_recent=0)
    [fewer] = find_in_cancellations([cancellation_row(gone, NIGHT)], CONFIG.alerts)
    assert (fewer.key, fewer.severity) == ("cancellations:fewer", "warning")
    assert "0 users have cancelled in the 7 days" in fewer.sentence
    assert "a log that lacks cancellations" in fewer.sentence
    assert alert_name(more.key) == "more cancellations"
    assert alert_name(fewer.key) == "fewer cancellations"


def test_change_must_be_surely_as_large_as_configured() -> None:
    _, low, _ = TRIPLED.ratio()
    assert found_keys(TRIPLED, min_cancellation_change=low) == ["cancellations:more"]
    assert found_keys(TRIPLED, min_cancellation_change=low + 1e-9) == []
    fewer = Cancellations(40, 480, 7_000, 28_000)
    _, _, high = fewer.ratio()
    assert found_keys(fewer, min_cancellation_change=1 / high) == ["cancellations:fewer"]
    assert found_keys(fewer, min_cancellation_change=1 / high + 1e-9) == []
    assert found_keys(Cancellations(45, 160, 7_000, 28_000)) == []
    assert find_in_cancellations([], CONFIG.alerts) == ()


def test_first_cancellations_ever_have_a_finite_row() -> None:
    first = cancellation_row(Cancellations(1, 0, 7_000, 28_000), NIGHT)
    assert (first["value"], first["high"]) == (None, None)
    assert find_in_cancellations([first], CONFIG.alerts) == ()
    assert describe_cancellations(first) == (
        "1 user has cancelled in the 7 days before 2026-03-02, 0.0 expected at the rate of the "
        "weeks before"
    )
    many = cancellation_row(Cancellations(60, 0, 7_000, 28_000), NIGHT)
    [found] = find_in_cancellations([many], CONFIG.alerts)
    assert found.key == "cancellations:more"


def nights_with(
    keys: str,
    rate: Callable[[int], float],
    growth: float = 0.0,
    seed: int = 1,
    n_days: int = 420,
    follows: float = 1.0,
) -> list[int]:
    """Numbers of the nights of a year and more on which more or fewer users cancel, as is said.

    Weekdays differ twofold, every tenth week has a holiday of half the users, and one day in fifty
    doesn't come in at all.

    Args:
        keys: how the alerts begin.
        rate: cancellations of a small day, by its number.
        growth: of the users, a week.
        seed: of chance.
        n_days: of the log.
        follows: power by which cancellations follow the users of a day; 0: they don't.
    """
    rng = np.random.default_rng(seed)
    numbers = np.arange(n_days)
    grown = np.exp(growth * numbers / 7)
    size = np.where(numbers % 7 < 3, 2.0, 1.0)
    size = np.where(numbers % 70 == 33, size / 2, size)
    has_come = rng.random(n_days) >= 0.02
    cancels = rng.poisson([rate(number) for number in numbers] * grown * size**follows * has_come)
    n_users = (1e4 * grown * size * has_come).astype(int)
    first = date(2020, 1, 1)
    days = [first + timedelta(days=int(number)) for number in numbers]
    known = EventDays.of(
        row
        for day, n, n_cancelled in zip(days, n_users, cancels, strict=True)
        for row in ((day, USER, "", int(n)), (day, CANCELLED, "", int(n_cancelled)))
    )
    found = []
    for number in numbers[21:]:
        counted = count_cancellations(known, days[number], first)
        if counted and any(key.startswith(keys) for key in found_keys(counted)):
            found.append(int(number))
    return found


@pytest.mark.parametrize(
    ("rate", "growth", "follows"),
    [(0.5, 0.0, 1.0), (5.0, 0.01, 1.0), (100.0, 0.0, 1.0), (100.0, 0.0, 0.0)],
)
def test_year_without_a_change_opens_nothing(rate: float, growth: float, follows: float) -> None:
    assert nights_with("cancellations:", lambda _: rate, growth, follows=follows) == []


@pytest.mark.parametrize(("rate", "within"), [(5.0, 6), (30.0, 5)])
def test_tripled_rate_is_found_within_days(rate: float, within: int) -> None:
    for seed in range(5):
        found = nights_with(
            "cancellations:more",
            lambda number: rate * (3 if number >= 60 else 1),
            seed=seed,
            n_days=80,
        )
        assert 60 < found[0] <= 60 + within


@pytest.mark.parametrize("factor", [0.0, 3.0, 5.0])
@pytest.mark.parametrize("rate", [20.0, 300.0])
def test_one_unusual_week_makes_none_after_it_unusual(factor: float, rate: float) -> None:
    for seed in range(3):
        found = nights_with(
            "cancellations:",
            lambda number: rate * (factor if 60 <= number < 67 else 1),
            seed=seed,
            n_days=115,
        )
        assert found
        # No night whose own week has none of it.
        assert 60 < min(found) <= max(found) < 67 + 7


def night_of() -> Night:
    return Night(NIGHT, LogDates(LogSpan(START, NIGHT), NIGHT), (), RegistryState())


def write_days(lakehouse: Lakehouse, days: EventDays) -> None:
    rows = [
        (day, fact, value, n)
        for day, facts in days.counts.items()
        for fact, values in facts.items()
        for value, n in values.items()
    ]
    lakehouse.replace_rows(rows, EVENT_DAYS, {"event_date": sorted(days.counts)})


def tell(lakehouse: Lakehouse, rows: list[dict[str, Any]], day: date) -> tuple[str, ...]:
    """What is open once a night has the rows."""
    values = [
        [{**row, "run_date": day}.get(name) for name in PERFORMANCE.column_names] for row in rows
    ]
    lakehouse.replace_rows(values, PERFORMANCE, {"run_date": [day]})
    entry = decided(start_policy("1", day, CONFIG.policy), Evidence(0), day)
    return notify(lakehouse, day, [entry], [], Drift(), CONFIG.alerts, CONFIG.policy)


def test_night_measures_and_warns_by_what_the_log_has_counted(tmp_path: Path) -> None:
    lakehouse = open_local(tmp_path)
    assert measure_cancellations(lakehouse, night_of(), "3", CONFIG.learning) == []
    write_days(lakehouse, days_of(lambda day: 30 if day >= WEEK else 10))
    [row] = measure_cancellations(lakehouse, night_of(), "3", CONFIG.learning)
    assert (row["basis"], row["model_version"], row["n_positive"]) == (CANCELLATIONS, "3", 210)
    assert (row["value"], row["reference"]) == (pytest.approx(3.0), pytest.approx(70.0))
    other = load_config(overrides=["labels.churn=inactivity", "snapshots.active_days=14"])
    assert measure_cancellations(lakehouse, night_of(), "3", other.learning) == []
    assert tell(lakehouse, [row], NIGHT) == ("cancellations:more",)


def test_warning_ends_when_the_rate_is_usual_and_not_when_nothing_can_be_told(
    tmp_path: Path,
) -> None:
    lakehouse = open_local(tmp_path)
    nights = [NIGHT + timedelta(days=number) for number in range(6)]
    gone = cancellation_row(replace(TRIPLED, n_recent=0), NIGHT)
    assert tell(lakehouse, [gone], nights[0]) == ("cancellations:fewer",)
    for day in nights[1:3]:
        assert tell(lakehouse, [], day) == ("cancellations:fewer",)
    # So few are expected that none is no finding by itself.
    few = cancellation_row(Cancellations(0, 4, 7_000, 28_000), NIGHT)
    assert find_in_cancellations([few], CONFIG.alerts) == ()
    assert tell(lakehouse, [few], nights[3]) == ("cancellations:fewer",)
    usual = cancellation_row(replace(TRIPLED, n_recent=40), NIGHT)
    assert tell(lakehouse, [usual], nights[4]) == ("cancellations:fewer",)
    assert tell(lakehouse, [usual], nights[5]) == ()


def test_warning_ends_where_cancellations_are_counted_no_more(tmp_path: Path) -> None:
    lakehouse = open_local(tmp_path)
    assert tell(lakehouse, [cancellation_row(TRIPLED, NIGHT)], NIGHT) == ("cancellations:more",)
    open_on = [tell(lakehouse, [], NIGHT + timedelta(days=days)) for days in (56, 57, 58)]
    assert open_on == [("cancellations:more",), ("cancellations:more",), ()]


def test_page_of_the_night_says_how_many_have_cancelled_lately() -> None:
    data = build_nights(20, names=NAMES[:12], n_windows=2)
    row = {**cancellation_row(TRIPLED, LAST), "run_date": LAST, "model_version": "3"}
    older = {**row, "run_date": LAST - timedelta(days=1), "n_positive": 777}
    lately = pd.DataFrame([older, row]).reindex(columns=data.performance.columns)
    page = render_night(replace(data, performance=pd.concat([data.performance, lately])))
    assert read(page)
    assert "120 users have cancelled in the 7 days before" in page
    assert "777 users" not in page
    assert "cancelled in the 7 days" not in render_night(data)
