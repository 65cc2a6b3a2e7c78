"""Which dates are the log: whatever clocks are wrong, and however the log grows."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from churn_spark.config import load_config
from churn_spark.contracts.places import AT_EDGE, IN_LOG, OUT_OF_PLACE
from churn_spark.features.log_dates import place_dates

_CONFIG = load_config().ingest
_START, _N_DAYS = date(2018, 10, 1), 61
_END = _START + timedelta(days=_N_DAYS)
LOG = {_START + timedelta(days=n): 3_000 + 137 * (n % 7) for n in range(_N_DAYS)}


def _span(places: Mapping[date, str]) -> tuple[date, date]:
    days = [day for day, place in places.items() if place == IN_LOG]
    return min(days), max(days) + timedelta(days=1)


def _places(*wrong: tuple[date, int], log: Mapping[date, int] = LOG) -> dict[date, str]:
    return place_dates({**log, **dict(wrong)}, _CONFIG)


def test_every_day_of_a_sound_log_is_in_it() -> None:
    assert {*_places().values()} == {IN_LOG}
    assert place_dates({}, _CONFIG) == {}


@pytest.mark.parametrize(
    ("day", "place"),
    [
        (date(2015, 1, 1), OUT_OF_PLACE),
        (date(2035, 6, 1), OUT_OF_PLACE),
        (_START - timedelta(days=15), OUT_OF_PLACE),
        (_START - timedelta(days=14), AT_EDGE),
        (_START - timedelta(days=1), AT_EDGE),
        (_END, AT_EDGE),
        (_END + timedelta(days=13), AT_EDGE),
        (_END + timedelta(days=14), OUT_OF_PLACE),
    ],
)
@pytest.mark.parametrize("n", [1, 700])
def test_log_ends_where_it_does_when_a_clock_is_wrong(day: date, place: str, n: int) -> None:
    places = _places((day, n))
    assert places[day] == place
    assert _span(places) == (_START, _END)


@given(st.dictionaries(st.dates(date(2006, 1, 1), date(2099, 1, 1)), st.integers(1, 300)))
def test_any_number_of_wrong_clocks_moves_nothing(wrong: dict[date, int]) -> None:
    assert _span(place_dates({**wrong, **LOG}, _CONFIG)) == (_START, _END)


def test_day_that_has_only_begun_is_no_day_of_the_log_and_a_sunday_is() -> None:
    assert _span(_places((_END, 500))) == (_START, _END)
    assert _span(_places((_END, 1_300))) == (_START, _END + timedelta(days=1))


def test_log_that_goes_on_after_an_outage_or_was_loaded_from_the_middle_is_one() -> None:
    later = {day + timedelta(days=100): n for day, n in LOG.items()}
    first = min(later)
    assert _span(_places((first, later[first]))) == (_START, first + timedelta(days=1))
    assert {*_places(*LOG.items(), log=later).values()} == {IN_LOG}


def test_service_that_has_grown_keeps_its_first_days() -> None:
    grown = {_START + timedelta(days=n): round(40 * 1.01**n) for n in range(900)}
    assert {*place_dates(grown, _CONFIG).values()} == {IN_LOG}


def test_nothing_is_set_aside_where_days_have_few_events() -> None:
    few = {day: 1 + n % 3 for n, day in enumerate(LOG)}
    places = place_dates({**few, date(2015, 1, 1): 1}, _CONFIG)
    assert places.pop(date(2015, 1, 1)) == AT_EDGE
    assert {*places.values()} == {IN_LOG}
