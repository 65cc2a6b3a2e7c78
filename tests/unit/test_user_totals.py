"""Snapshots from totals and the days since against those from all days, to the last bit."""

from __future__ import annotations

from datetime import date, timedelta

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from churn_spark.contracts.features.past import Trailing
from churn_spark.contracts.features.spec import ASKED
from churn_spark.contracts.tables import USER_TOTALS
from churn_spark.features.local.snapshots import build_snapshots
from churn_spark.features.local.totals import add_days, no_totals
from tests.session_days import START, dates, instant, logs, session_days_of

_ALWAYS = 1_000


def _between(session_days: pl.DataFrame, first: date, end: date) -> pl.DataFrame:
    return session_days.filter(pl.col("event_date").is_between(first, end, closed="left"))


def _totals(session_days: pl.DataFrame, cuts: list[date]) -> pl.DataFrame:
    """Totals that were extended from cut to cut."""
    totals = no_totals()
    for first, before in zip([date.min, *cuts], cuts, strict=False):
        totals = add_days(_between(session_days, first, before), totals, before, "")
    return totals


def _snapshots(session_days: pl.DataFrame, totals: pl.DataFrame, as_of: date) -> pl.DataFrame:
    days = session_days.filter(pl.col("event_date") < as_of)
    return build_snapshots(days, totals, [as_of], START, _ALWAYS)


@settings(max_examples=40)
@given(logs(), dates(), st.lists(st.integers(0, 60), max_size=4))
def test_snapshot_is_the_same_from_totals_at_any_cuts(
    log: pl.DataFrame, as_of: date, before: list[int]
) -> None:
    last = as_of - timedelta(days=ASKED.longest_days)
    cuts = sorted({last - timedelta(days=days) for days in before} | {last})
    since = log.filter(pl.col("event_date") >= last)
    found = _snapshots(since, _totals(log, cuts), as_of)
    expected = _snapshots(log, no_totals(), as_of)
    assert_frame_equal(found, expected, check_row_order=False, check_exact=True)


@given(logs(), st.lists(dates(), min_size=1, max_size=4))
def test_totals_are_the_same_by_any_cuts(log: pl.DataFrame, cuts: list[date]) -> None:
    cuts = sorted(set(cuts))
    assert_frame_equal(
        _totals(log, cuts), _totals(log, cuts[-1:]), check_row_order=False, check_exact=True
    )


@settings(max_examples=15)
@given(logs(), st.lists(dates(), min_size=1, max_size=3))
def test_dates_are_the_same_together_and_alone(log: pl.DataFrame, as_of: list[date]) -> None:
    together = build_snapshots(log, no_totals(), set(as_of), START, _ALWAYS)
    alone = pl.concat(_snapshots(log, no_totals(), day) for day in sorted(set(as_of)))
    assert_frame_equal(together, alone, check_row_order=False, check_exact=True)


@settings(max_examples=15)
@given(logs(), dates())
def test_audience_that_pays_is_who_paid_last(log: pl.DataFrame, as_of: date) -> None:
    everybody = _snapshots(log, no_totals(), as_of)
    days = log.filter(pl.col("event_date") < as_of)
    paying = build_snapshots(days, no_totals(), [as_of], START, _ALWAYS, only_paid=True)
    expected = everybody.filter(pl.col("last_subscription_level") == "paid")
    assert_frame_equal(paying, expected, check_row_order=False, check_exact=True)


def test_session_that_comes_back_after_the_cut_doesnt_begin_again() -> None:
    cut, visit = START + timedelta(days=7), {"user_id": "a", "session_id": 1, "n_events": 1}
    log = session_days_of(
        {**visit, "event_date": day, "first_ts": instant(day, 5), "last_ts": instant(day, 6)}
        for day in (START, cut)
    )
    totals = _totals(log, [cut])
    [row] = _snapshots(
        _between(log, cut, date.max), totals, cut + timedelta(days=ASKED.longest_days)
    ).to_dicts()
    assert (row["num_sessions"], row["mean_gap_days"], row["longest_gap_days"]) == (1, 7.0, 7.0)


def test_totals_have_the_declared_columns() -> None:
    found = add_days(session_days_of([]), no_totals(), START, "")
    assert found.schema == no_totals().schema
    assert found.columns == USER_TOTALS.column_names


def test_longest_window_is_that_of_the_features() -> None:
    assert ASKED.longest_days == max(window.first for _, window in ASKED.sums)
    assert ("n_sessions", Trailing.week(8)) in ASKED.sums
