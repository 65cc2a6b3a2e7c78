"""Which as-of dates are trained on and which are tested on."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from churn_spark.errors import TooFewDatesError
from churn_spark.evaluation.date_split import split_dates
from churn_spark.timeline import Horizon

MONDAYS = [date(2018, 10, 8) + timedelta(weeks=week) for week in range(8)]
HORIZON = Horizon(days=14, gap_days=1)


def test_no_training_label_reaches_the_first_test_date() -> None:
    found = split_dates(MONDAYS[:6], HORIZON, 2)
    assert found.test == (date(2018, 11, 5), date(2018, 11, 12))
    assert found.train == (date(2018, 10, 8), date(2018, 10, 15))
    assert found.cutoff == date(2018, 11, 5)


@given(st.integers(1, 8), st.integers(1, 3), st.integers(1, 30), st.integers(0, 3))
def test_training_windows_end_before_the_test_dates(
    n_dates: int, n_test: int, days: int, gap: int
) -> None:
    horizon = Horizon(days, gap)
    try:
        found = split_dates(MONDAYS[:n_dates][::-1], horizon, n_test)
    except TooFewDatesError:
        first = MONDAYS[0]
        assert n_dates <= n_test or horizon.end(first) + timedelta(days=gap) > (
            MONDAYS[n_dates - n_test]
        )
        return
    assert list(found.test) == MONDAYS[n_dates - n_test : n_dates]
    assert all(horizon.end(day) + timedelta(days=gap) <= found.test[0] for day in found.train)
    later = [day for day in MONDAYS[:n_dates] if day not in found.train + found.test]
    assert all(horizon.end(day) + timedelta(days=gap) > found.test[0] for day in later)


@pytest.mark.parametrize("n_dates", [0, 1, 3])
def test_too_few_dates_are_refused_with_their_number(n_dates: int) -> None:
    with pytest.raises(TooFewDatesError, match=f"of {n_dates} as-of dates with known"):
        split_dates(MONDAYS[:n_dates], HORIZON, 1)
