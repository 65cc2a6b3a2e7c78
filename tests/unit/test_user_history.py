"""Totals that are kept: brought forward night by night, made anew where late events come."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from churn_spark.contracts.features.spec import ASKED
from churn_spark.contracts.tables import SESSION_DAYS, TRANSITIONS, USER_TOTALS
from churn_spark.features.local.totals import add_days, no_totals
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.pipeline import transition_totals, user_totals
from churn_spark.pipeline.kept_totals import N_KEPT
from churn_spark.pipeline.transition_totals import are_few_transitions
from churn_spark.pipeline.user_totals import KEPT, are_few_days, cut_before, read_history
from tests.local_lakehouse import LocalLakehouse, open_local
from tests.session_days import START, instant, logs, session_days_of

_LAST = START + timedelta(days=160)


def _write(lakehouse: Lakehouse, log: pl.DataFrame, dates: set[date]) -> None:
    """Rebuild some dates of the session days."""
    rows = log.filter(pl.col("event_date").is_in(dates))
    lakehouse.replace_rows(rows.to_arrow(), SESSION_DAYS, {"event_date": dates})


def _check(lakehouse: Lakehouse, log: pl.DataFrame, as_of: date) -> None:
    """The history as of a date holds all days before it, each in the totals or by itself."""
    cut = cut_before(as_of)
    history = read_history(lakehouse, [as_of])
    is_total = pl.col("event_date") < cut
    expected = add_days(log.filter(is_total), no_totals(), cut, "").drop("made_of")
    assert_frame_equal(history.totals.drop("made_of"), expected, check_row_order=False)
    since = log.filter(~is_total & (pl.col("event_date") < as_of))
    assert_frame_equal(history.session_days, since, check_row_order=False)


@settings(max_examples=15)
@given(
    logs(max_size=25),
    logs(min_size=1, max_size=8),
    st.lists(st.integers(70, 160), min_size=2, max_size=4),
    st.booleans(),
)
def test_history_is_whole_on_any_date_after_any_other_and_late_events(
    log: pl.DataFrame, late: pl.DataFrame, nights: list[int], are_rebuilt: bool
) -> None:
    key = ["user_id", "session_id", "event_date"]
    with TemporaryDirectory() as folder:
        lakehouse = open_local(folder)
        _write(lakehouse, log, {START, *log["event_date"]})
        for number, days in enumerate(nights):
            if number == 1:
                log = pl.concat([log.join(late, key, "anti"), late])
                _write(lakehouse, log, {*late["event_date"], *([START] if are_rebuilt else [])})
            as_of = START + timedelta(days=days)
            _check(lakehouse, log, as_of)


@pytest.fixture
def log() -> pl.DataFrame:
    """One user, here on every fifth day."""
    day = {"user_id": "a", "n_events": 1, "n_songs": 1}
    dates = [START + timedelta(days=number) for number in range(0, 160, 5)]
    return session_days_of(
        {**day, "session_id": number, "event_date": one, "last_ts": instant(one, 1)}
        for number, one in enumerate(dates)
    )


def test_days_before_the_cut_are_read_once(
    log: pl.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lakehouse = open_local(tmp_path)
    _write(lakehouse, log, {*log["event_date"]})
    read_history(lakehouse, [_LAST])
    monkeypatch.setattr(user_totals, "KEPT", replace(KEPT, add=None))  # type: ignore[arg-type]
    history = read_history(lakehouse, [_LAST])
    n_before = len(log.filter(pl.col("event_date") < cut_before(_LAST)))
    assert history.totals["n_songs"].to_list() == [n_before]
    assert len(history.session_days) == len(log) - n_before
    assert (_LAST - cut_before(_LAST)).days < ASKED.longest_days + 7


@pytest.mark.parametrize("days_later", [0, 7])
def test_late_events_before_the_cut_are_in_the_totals(
    days_later: int, log: pl.DataFrame, tmp_path: Path
) -> None:
    lakehouse = open_local(tmp_path)
    _write(lakehouse, log, {*log["event_date"]})
    before = read_history(lakehouse, [_LAST]).totals["n_songs"].sum()
    late = session_days_of(
        [{"user_id": "a", "session_id": -1, "event_date": START, "n_events": 1, "n_songs": 5}]
    )
    both = pl.concat([log, late])
    _write(lakehouse, both, {START})
    as_of = _LAST + timedelta(days=days_later)
    _check(lakehouse, both, as_of)
    assert read_history(lakehouse, [_LAST]).totals["n_songs"].sum() == before + 5


def test_few_cuts_are_kept_and_the_newest(log: pl.DataFrame, tmp_path: Path) -> None:
    lakehouse = open_local(tmp_path)
    _write(lakehouse, log, {*log["event_date"]})
    nights = [_LAST - timedelta(days=7 * number) for number in range(6, -1, -1)]
    for as_of in nights:
        read_history(lakehouse, [as_of])
    kept = lakehouse.partition_values(USER_TOTALS, "before")
    assert kept == [cut_before(as_of) for as_of in nights[-N_KEPT:]]
    read_history(lakehouse, [nights[0]])
    assert lakehouse.partition_values(USER_TOTALS, "before") == kept


def test_totals_of_other_sources_are_made_anew(
    log: pl.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lakehouse = open_local(tmp_path)
    _write(lakehouse, log, {*log["event_date"]})
    before = read_history(lakehouse, [_LAST]).totals
    monkeypatch.setattr(user_totals, "KEPT", replace(KEPT, definition="other sources"))
    after = read_history(lakehouse, [_LAST]).totals
    assert after["made_of"][0] != before["made_of"][0]
    kept = lakehouse.read_arrow(USER_TOTALS, columns=["made_of"])
    assert kept["made_of"].to_pylist() == after["made_of"].to_list()


def test_history_of_more_users_than_fit_is_left_to_spark(tmp_path: Path) -> None:
    six = session_days_of(
        {"user_id": user, "session_id": 1, "event_date": START, "n_events": 1} for user in "abcdef"
    )
    few, many = (LocalLakehouse(str(tmp_path), max_local_users=n) for n in (1, 2))
    _write(cast(Lakehouse, few), six, {START})
    read_history(cast(Lakehouse, few), [_LAST])
    # Nobody has been here lately, and totals of six are kept.
    assert [are_few_days(cast(Lakehouse, one), [_LAST]) for one in (few, many)] == [False, True]


def test_transitions_of_more_rows_than_fit_are_left_to_spark(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lakehouse = open_local(tmp_path)
    columns = {"user_id": "a", "level": "free", "page": "Home", "next_page": "END"}
    days = [START + timedelta(days=number) for number in range(20)]
    rows = pl.DataFrame([{"event_date": one, **columns, "n_transitions": 1} for one in days])
    moves = rows.with_columns(total_millis=0).select(TRANSITIONS.column_names)
    lakehouse.replace_rows(moves.to_arrow(), TRANSITIONS, {"event_date": days})
    monkeypatch.setattr(transition_totals, "MAX_LOCAL_ROWS", 15)
    assert are_few_transitions(lakehouse, [days[-1]])
    # What lies between two dates is read by itself, whatever all of them span.
    assert are_few_transitions(lakehouse, [days[8], days[-1]])
    monkeypatch.setattr(transition_totals, "MAX_LOCAL_ROWS", 8)
    assert not are_few_transitions(lakehouse, [days[8], days[-1]])
