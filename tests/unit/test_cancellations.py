"""More or fewer cancellations than in the weeks before, from the counts of the log alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
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
from pages import read
from scipy import stats

from churn_spark.config import load_config
from churn_spark.contracts.event_facts import EVENT, OTHERS
from churn_spark.contracts.registry_state import RegistryState
from churn_spark.contracts.tables import EVENT_DAYS, PERFORMANCE
from churn_spark.monitoring.alerts.cancellations import find_in_cancellations
from churn_spark.monitoring.data_quality.event_days import EventDays
from churn_spark.monitoring.performance.cancellations import (
    CANCELLATIONS,
    Cancellations,
    cancellation_row,
    count_cancellations,
    describe_cancellations,
)
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
TRIPLED = Cancellations(n_recent=120, n_before=160, events_recent=7_000, events_before=28_000)
counts = st.integers(0, 300)
events = st.integers(1, 10**7)


def days_of(
    n_cancels: Callable[[date], int],
    n_events: Callable[[date], int] = lambda _: 1000,
    others: Mapping[date, int] | None = None,
    last: date = NIGHT,
) -> EventDays:
    """A log from START to `last`, which isn't over on its own night."""
    rows = [
        row
        for day in days_between(START, last)
        for row in (
            (day, EVENT, "", n_events(day)),
            (day, "page", "Cancellation Confirmation", n_cancels(day)),
            (day, "page", "Cancel", 2 * n_cancels(day)),
        )
    ]
    return EventDays.of([*rows, *((day, "page", OTHERS, n) for day, n in (others or {}).items())])


def found_keys(found: Cancellations, **changes: Any) -> list[str]:
    config = CONFIG.alerts.model_copy(update=changes)
    row = cancellation_row(found, NIGHT)
    return [finding.key for finding in find_in_cancellations([row], config)]


def test_week_is_held_against_the_rate_of_four_weeks_before() -> None:
    week = NIGHT - timedelta(days=7)
    first = week - timedelta(days=28)

    def n_cancels(day: date) -> int:
        return 0 if day in (first - timedelta(days=1), NIGHT) else 20 if day >= week else 5

    def n_events(day: date) -> int:
        return 10**9 if day in (first - timedelta(days=1), NIGHT) else 2000 if day >= week else 1000

    found = count_cancellations(days_of(n_cancels, n_events), NIGHT, START)
    assert found == Cancellations(140, 140, 14_000, 28_000)
    assert found.n_expected == 70
    assert found.ratio()[0] == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("age", "n_before"), [(20, None), (21, 70), (22, 75), (34, 135), (35, 140), (60, 140)]
)
def test_weeks_before_are_those_of_the_log_and_at_least_two(age: int, n_before: int | None) -> None:
    night = START + timedelta(days=age)
    found = count_cancellations(days_of(lambda _: 5), night, START)
    assert (found.n_before if found else None) == n_before


def test_nothing_is_told_of_pages_that_are_not_all_counted_or_without_any_cancellation() -> None:
    hidden = {NIGHT - timedelta(days=35): 1}
    assert count_cancellations(days_of(lambda _: 5, others=hidden), NIGHT, START) is None
    earlier = {NIGHT - timedelta(days=36): 1}
    assert count_cancellations(days_of(lambda _: 5, others=earlier), NIGHT, START)
    assert count_cancellations(days_of(lambda _: 0), NIGHT, START) is None
    week = NIGHT - timedelta(days=7)
    silent = days_of(lambda _: 5, lambda day: 0 if day >= week else 1000)
    assert count_cancellations(silent, NIGHT, START) is None


@given(counts, counts, events, events)
def test_interval_has_the_rates_at_which_so_many_are_just_beyond_chance(
    n_recent: int, n_before: int, events_recent: int, events_before: int
) -> None:
    n = n_recent + n_before
    if not n:
        return
    value, low, high = Cancellations(n_recent, n_before, events_recent, events_before).ratio()
    assert low <= value <= high

    def share(ratio: float) -> float:
        return ratio * events_recent / (ratio * events_recent + events_before)

    if n_recent:
        beyond = stats.binom.sf(n_recent - 1, n, share(low))
        assert beyond == pytest.approx(0.0005, rel=1e-4)
    else:
        assert low == 0
    if n_before:
        assert stats.binom.cdf(n_recent, n, share(high)) == pytest.approx(0.0005, rel=1e-4)
    else:
        assert high == math.inf


@given(counts, counts, events, events)
def test_weeks_the_other_way_round_are_the_inverse_and_more_events_change_nothing(
    n_recent: int, n_before: int, events_recent: int, events_before: int
) -> None:
    if not n_recent or not n_before:
        return
    found = Cancellations(n_recent, n_before, events_recent, events_before)
    value, low, high = found.ratio()
    turned = Cancellations(n_before, n_recent, events_before, events_recent).ratio()
    assert turned == pytest.approx((1 / value, 1 / high, 1 / low))
    busier = replace(found, events_recent=3 * events_recent, events_before=3 * events_before)
    assert busier.ratio() == pytest.approx((value, low, high))
    assert found.n_expected * value == pytest.approx(n_recent)


def test_a_sure_change_is_a_warning_in_either_direction() -> None:
    [more] = find_in_cancellations([cancellation_row(TRIPLED, NIGHT)], CONFIG.alerts)
    assert (more.key, more.severity) == ("cancellations:more", "warning")
    assert more.sentence == (
        "120 cancellations in the 7 days before 2026-03-02, 40.0 expected at the rate of the weeks "
        "before: 3.00 times as many [1.99, 4.48]; probabilities learnt from the weeks before are "
        "likely too low until the labels of these days are known"
    )
    gone = replace(TRIPLED, n_recent=0)
    [fewer] = find_in_cancellations([cancellation_row(gone, NIGHT)], CONFIG.alerts)
    assert (fewer.key, fewer.severity) == ("cancellations:fewer", "warning")
    assert "0 cancellations in the 7 days" in fewer.sentence
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


def test_first_cancellation_ever_is_told_and_no_finding() -> None:
    first = Cancellations(1, 0, 7_000, 28_000)
    assert found_keys(first) == []
    assert describe_cancellations(cancellation_row(first, NIGHT)) == (
        "1 cancellation in the 7 days before 2026-03-02, 0.0 expected at the rate of the weeks "
        "before"
    )


def nights_with(
    keys: str, rate: Callable[[int], float], growth: float = 0.0, seed: int = 1, n_days: int = 420
) -> list[int]:
    """Numbers of the nights of a year and more on which more or fewer users cancel, as is said.

    Weekdays differ twofold, every tenth week has a holiday of half the events, and one day in
    fifty doesn't come in at all.
    """
    rng = np.random.default_rng(seed)
    numbers = np.arange(n_days)
    size = np.exp(growth * numbers / 7) * (1 + (numbers % 7 < 3))
    size = np.where(numbers % 70 == 33, size / 2, size)
    size = np.where(rng.random(n_days) < 0.02, 0, size)
    cancels = rng.poisson([rate(number) for number in numbers] * size)
    first = date(2020, 1, 1)
    days = [first + timedelta(days=int(number)) for number in numbers]
    known = EventDays.of(
        row
        for day, n_events, n in zip(days, (1e4 * size).astype(int), cancels, strict=True)
        for row in (
            (day, EVENT, "", int(n_events)),
            (day, "page", "Cancellation Confirmation", int(n)),
        )
    )
    found = []
    for number in numbers[21:]:
        counted = count_cancellations(known, days[number], first)
        if counted and any(key.startswith(keys) for key in found_keys(counted)):
            found.append(int(number))
    return found


@pytest.mark.parametrize(("rate", "growth"), [(0.5, 0.0), (5.0, 0.0), (5.0, 0.01), (100.0, 0.0)])
def test_year_without_a_change_opens_nothing(rate: float, growth: float) -> None:
    assert nights_with("cancellations:", lambda _: rate, growth) == []


@pytest.mark.parametrize(("rate", "within"), [(5.0, 6), (30.0, 4)])
def test_tripled_rate_is_found_within_days(rate: float, within: int) -> None:
    for seed in range(5):
        found = nights_with(
            "cancellations:more",
            lambda number: rate * (3 if number >= 60 else 1),
            seed=seed,
            n_days=80,
        )
        assert 60 < found[0] <= 60 + within


def night_of(end: date = NIGHT) -> Night:
    return Night(NIGHT, LogDates(LogSpan(START, end), NIGHT), (), RegistryState())


def test_night_measures_and_warns_by_what_the_log_has_counted(tmp_path: Path) -> None:
    lakehouse = open_local(tmp_path)
    assert measure_cancellations(lakehouse, night_of(), "3", CONFIG.learning) == []
    week = NIGHT - timedelta(days=7)
    days = days_of(lambda day: 30 if day >= week else 10)
    rows = [
        (day, fact, value, n)
        for day, facts in days.counts.items()
        for fact, values in facts.items()
        for value, n in values.items()
    ]
    lakehouse.replace_rows(rows, EVENT_DAYS, {"event_date": sorted(days.counts)})
    [row] = measure_cancellations(lakehouse, night_of(), "3", CONFIG.learning)
    assert (row["basis"], row["model_version"], row["n_positive"]) == (CANCELLATIONS, "3", 210)
    assert (row["value"], row["reference"]) == (pytest.approx(3.0), pytest.approx(70.0))
    other = load_config(overrides=["labels.churn=inactivity", "snapshots.active_days=14"])
    assert measure_cancellations(lakehouse, night_of(), "3", other.learning) == []
    values = [[{**row, "run_date": NIGHT}.get(name) for name in PERFORMANCE.column_names]]
    lakehouse.replace_rows(values, PERFORMANCE, {"run_date": [NIGHT]})
    keys = notify(lakehouse, NIGHT, [], [], Drift(), CONFIG.alerts, CONFIG.policy)
    assert keys == ("cancellations:more",)


def test_page_of_the_night_says_how_many_have_cancelled_lately() -> None:
    data = build_nights(20, names=NAMES[:12], n_windows=2)
    row = {**cancellation_row(TRIPLED, LAST), "run_date": LAST, "model_version": "3"}
    older = {**row, "run_date": LAST - timedelta(days=1), "n_positive": 777}
    lately = pd.DataFrame([older, row]).reindex(columns=data.performance.columns)
    page = render_night(replace(data, performance=pd.concat([data.performance, lately])))
    assert read(page)
    assert "120 cancellations in the 7 days before" in page
    assert "777 cancellations" not in page
    assert "cancellations in the 7 days" not in render_night(data)
