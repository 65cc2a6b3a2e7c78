"""The rule for the volume in planted worlds: sound days pass, days that lack a part do not."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest

from churn_spark.config import ChecksConfig, load_config
from churn_spark.contracts.event_facts import BATCH, EVENT, EVENT_ONCE, NEWEST_MILLIS
from churn_spark.errors import ConfigError
from churn_spark.monitoring.data_quality.checks import CheckResult, run_checks
from churn_spark.monitoring.data_quality.event_days import EventDays, measure_feed
from churn_spark.monitoring.data_quality.usual_days import same_weekdays, weekly_growth
from churn_spark.timeline import day_start_millis, days_after

CONFIG = load_config().checks
START = date(2025, 9, 1)
N_DAYS = 140
WEEKDAYS = (1.0, 0.95, 0.95, 1.0, 1.2, 1.35, 0.7)
CHRISTMAS = [date(2025, 12, day) for day in (24, 25, 26, 31)] + [date(2026, 1, 1)]
ONE_BY_ONE: Callable[[date], str] = str


def usual(base: float = 8_000, weekly: float = 1.0, noise: float = 0.05, seed: int = 0) -> Any:
    """Events of each day: by weekday, growing, and with noise beyond that of counting."""
    rng = np.random.default_rng(seed)
    found = {}
    for number in range(N_DAYS):
        day = days_after(START, number)
        mean = base * WEEKDAYS[day.weekday()] * weekly ** (number / 7)
        found[day] = int(rng.poisson(mean * math.exp(rng.normal(0, noise))))
    return found


def volume(
    counts: Mapping[date, int],
    day: date,
    *,
    ends_at: float = 24.0,
    batch_of: Callable[[date], str] = ONE_BY_ONE,
    config: ChecksConfig = CONFIG,
) -> CheckResult:
    """The check of the night after a day; the last event of that day came at an hour of it."""
    rng = np.random.default_rng(day.toordinal())
    rows: list[tuple[date, str, str, int]] = []
    for one, n in counts.items():
        if one > day:
            continue
        hours = ends_at if one == day else 24.0
        newest = day_start_millis(one) + int((hours - rng.exponential(0.02)) * 3_600_000)
        rows += [(one, EVENT, "", n), (one, EVENT_ONCE, "", n), (one, BATCH, batch_of(one), n)]
        rows += [(one, NEWEST_MILLIS, "", newest)]
    night = days_after(day, 1)
    is_holiday = config.is_holiday
    feed = measure_feed(EventDays.of(rows), 0, START, night, is_holiday=is_holiday)
    return run_checks(feed, (), config)[0]


def judged_days(counts: Mapping[date, int]) -> list[date]:
    """Those with enough same weekdays before them."""
    return [day for day in counts if day >= days_after(START, 28)]


def n_held(counts: Mapping[date, int], days: list[date], **how: Any) -> int:
    return sum(not volume(counts, day, **how).passed for day in days)


def with_part(counts: Mapping[date, int], day: date, share: float) -> dict[date, int]:
    """The same, with a share of a day."""
    return {**counts, day: round(counts[day] * share)}


@pytest.mark.parametrize("weekly", [1.0, 1.05, 1.2, 0.95, 0.85])
@pytest.mark.parametrize("base", [300, 8_000])
def test_service_that_grows_or_shrinks_is_not_held(weekly: float, base: float) -> None:
    counts = usual(base, weekly)
    assert n_held(counts, judged_days(counts)) == 0


@pytest.mark.parametrize("weekly", [1.0, 1.05, 0.95])
def test_half_delivered_day_is_held_however_the_service_grows(weekly: float) -> None:
    counts = usual(weekly=weekly)
    days = judged_days(counts)[::3]
    held = [not volume(with_part(counts, day, 0.5), day).passed for day in days]
    # Days differ by 5 %: here and there half of one is as much as a bad one.
    assert sum(held) >= 0.9 * len(days)


@pytest.mark.parametrize(("ends_at", "share"), [(12.0, 0.45), (18.0, 0.7)])
def test_day_that_was_cut_is_held_by_where_it_ends(ends_at: float, share: float) -> None:
    counts = usual(weekly=1.05)
    days = judged_days(counts)[::3]
    cut = [volume(with_part(counts, day, share), day, ends_at=ends_at) for day in days]
    assert sum(not check.passed for check in cut) >= 0.97 * len(days)
    assert "hours before the day's end" in cut[0].sentence
    # An evening without events costs little, and holds nothing.
    assert volume(with_part(counts, days[5], 0.97), days[5], ends_at=22.0).passed


@pytest.mark.parametrize("share", [0.65, 1.6])
def test_holidays_hold_neither_themselves_nor_the_weeks_after(share: float) -> None:
    counts = dict(usual())
    for day in CHRISTMAS:
        counts = with_part(counts, day, share)
    assert n_held(counts, judged_days(counts)) == 0


def test_quiet_holiday_passes_where_it_is_configured_and_moves_no_measure() -> None:
    config = CONFIG.model_copy(update={"holidays": ("12-24", "12-25", "12-26", "12-31", "01-01")})
    counts = dict(usual(noise=0.02))
    for day in CHRISTMAS:
        counts = with_part(counts, day, 0.2)
    assert n_held(counts, CHRISTMAS) == len(CHRISTMAS)
    assert n_held(counts, judged_days(counts), config=config) == 0
    two_weeks_later = [days_after(day, 14) for day in CHRISTMAS[:3]]
    halves = [volume(with_part(counts, day, 0.5), day, config=config) for day in two_weeks_later]
    assert not any(check.passed for check in halves)
    # A holiday without a single event is an outage all the same.
    assert not volume({**counts, CHRISTMAS[1]: 0}, CHRISTMAS[1], config=config).passed


@pytest.mark.parametrize("n_weeks", [2, 4, 6])
def test_days_of_a_gap_say_nothing_of_usual_ones(n_weeks: int) -> None:
    counts = usual()
    back = days_after(START, 7 * (4 + n_weeks))
    gap = [days_after(back, -days) for days in range(1, 7 * n_weeks + 1)]
    after = [day for day in counts if day >= back]
    assert n_held({**counts, **dict.fromkeys(gap, 0)}, after[:28]) == 0
    # A day that is missing once it is back is found, as soon as enough others are known.
    late = after[22]
    assert not volume({**counts, **dict.fromkeys([*gap, late], 0)}, late).passed


def test_days_that_were_loaded_together_are_judged_by_themselves() -> None:
    counts = usual()
    sunday = next(day for day in judged_days(counts) if day.weekday() == 6)

    def by_weekend(day: date) -> str:
        return str(day - timedelta(days=max(0, day.weekday() - 4)))

    assert volume(counts, sunday, batch_of=by_weekend).passed
    assert not volume(with_part(counts, sunday, 0.5), sunday, batch_of=by_weekend).passed
    # Three days in place of one are none that are too many.
    assert n_held(counts, judged_days(counts), batch_of=by_weekend) == 0


def test_log_that_was_loaded_at_once_may_end_within_a_day() -> None:
    counts = usual()
    last = judged_days(counts)[-1]
    cut = with_part(counts, last, 0.4)
    assert volume(cut, last, ends_at=11.0, batch_of=lambda _: "0").passed
    assert not volume(cut, last, ends_at=11.0).passed
    # The rest comes with the next delivery.
    assert volume(counts, last, batch_of=lambda day: "1" if day == last else "0").passed


def test_growth_is_what_is_sure_of_it_and_a_holiday_moves_it_by_nothing() -> None:
    exact = {day: round(1_000_000 * 1.05 ** (n / 7)) for n, day in enumerate(usual())}
    last = max(exact)

    def growth_of(counts: Mapping[date, int]) -> float:
        return weekly_growth(lambda day: counts[day], last, START)

    assert growth_of(exact) == pytest.approx(math.log(1.05), abs=1e-4)
    holidays = {**exact, **{day: exact[day] // 4 for day in CHRISTMAS}}
    assert growth_of(holidays) == pytest.approx(growth_of(exact), abs=1e-4)
    assert abs(growth_of(usual(30, noise=0.3))) < 0.02
    young = {day: n for day, n in exact.items() if day < days_after(START, 20)}
    assert weekly_growth(lambda day: young[day], max(young), START) == 0.0
    weekdays = same_weekdays(lambda day: exact[day], last, START)
    assert weekdays == pytest.approx([exact[last]] * 8, rel=1e-3)


@pytest.mark.parametrize(
    "holidays",
    [
        "['12-32']",
        "[Christmas]",
        "['2026-02-30']",
        "[7]",
        "[20260406]",
        "['2026-W15-1']",
        "['20261']",
    ],
)
def test_holiday_that_is_no_day_is_refused(holidays: str) -> None:
    with pytest.raises(ConfigError, match="expected a day of each year"):
        load_config(overrides=[f"checks.holidays={holidays}"])


def test_holidays_are_days_of_each_year_or_dates() -> None:
    config = load_config(overrides=["checks.holidays=[12-25, 2026-04-06]"]).checks
    days = [date(2025, 12, 25), date(2026, 12, 25), date(2026, 4, 6), date(2027, 4, 6)]
    assert [config.is_holiday(day) for day in days] == [True, True, True, False]
