"""Horizon labels against the oracle, at the edges of their windows, and on a short log."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from churn_spark.features.labels import build_labels
from churn_spark.features.ordered_events import order_events
from churn_spark.features.session_days import build_session_days
from churn_spark.timeline import Horizon, days_after
from tests import oracle_features, oracles
from tests.builders import random_records, record
from tests.rollup_builders import event_frame

_DAY = 86_400_000
_GONE = {"page": "Cancellation Confirmation", "auth": "Cancelled"}
_HEADLINE, _CONTEST, _LONG = Horizon(14, 1), Horizon(10, 0), Horizon(7, 3)

Record = dict[str, Any]
Label = tuple[int | None, bool, bool]


def _labels(
    records: Iterable[Record],
    dates: Iterable[date],
    horizons: Iterable[Horizon],
    log_ends: Iterable[date],
    seen: Iterable[Record] | None = None,
) -> dict[tuple[date, date, str, int, int], Label]:
    """Label, whether it is known, whether it is in the gap; the log's end leads the key.

    The snapshots have the users of the records that were `seen` by then, all where none are given.
    """
    records = list(records)
    log = oracles.accept_events(records if seen is None else seen)
    keys = [(day, user) for day in dates for user in oracle_features.features_as_of(log, day)]
    population = pl.DataFrame(keys, {"as_of": pl.Date(), "user_id": pl.String()}, orient="row")
    cancellations = (
        build_session_days(order_events(event_frame(records)))
        .select("user_id", "cancel_ts")
        .drop_nulls()
    )
    found = [
        ((end, *row[:4]), (row[4], row[5], row[6]))
        for horizon in horizons
        for end in log_ends
        for row in build_labels(population, cancellations, horizon, end).iter_rows()
    ]
    assert len(dict(found)) == len(found), "the key is not unique"
    return dict(found)


def _expected(
    records: Iterable[Record],
    dates: Iterable[date],
    horizons: Iterable[Horizon],
    log_ends: Iterable[date],
    seen: Iterable[Record] | None = None,
) -> dict[tuple[date, date, str, int, int], Label]:
    records = list(records)
    log = oracles.accept_events(records)
    known = log if seen is None else oracles.accept_events(seen)
    expected = {}
    for day in dates:
        for user in oracle_features.features_as_of(known, day):
            for one in horizons:
                for end in log_ends:
                    label = oracles.horizon_label(log, user, day, one.days, one.gap_days, end)
                    expected[(end, day, user, one.days, one.gap_days)] = (
                        label.value,
                        label.is_known,
                        label.is_gap_cancel,
                    )
    return expected


def test_labels_equal_the_oracle_when_log_is_random() -> None:
    records = random_records(seed=3)
    dates = (date(2018, 10, 9), date(2018, 11, 26), date(2018, 12, 10))
    asked = (dates, (_HEADLINE, _CONTEST, _LONG), (date(2018, 12, 11), date(2019, 6, 1)))
    expected = _expected(records, *asked)
    assert {label for label, _, _ in expected.values()} == {0, 1, None}
    assert any(is_gap_cancel for _, _, is_gap_cancel in expected.values())
    assert _labels(records, *asked) == expected


def test_labels_equal_the_oracle_when_snapshots_have_not_seen_the_cancels() -> None:
    records = random_records(seed=3)
    seen = [one for one in records if one["page"] != _GONE["page"]]
    dates = (date(2018, 10, 9), date(2018, 11, 26), date(2018, 12, 10))
    asked = (dates, (_HEADLINE, _CONTEST, _LONG), (date(2018, 12, 11), date(2019, 6, 1)))
    expected = _expected(records, *asked, seen)
    # Gone before the date: known and null, though not in the gap.
    assert (None, True, False) in expected.values()
    assert _labels(records, *asked, seen) == expected


_D = date(2018, 10, 15)
_START = oracles.millis_of(_D)
_H, _G = 14, 2
_END = _START + (_G + _H) * _DAY
_CANCELS: dict[str, tuple[list[int], int | None, bool]] = {
    "never": ([], 0, False),
    "a millisecond before D": ([_START - 1], None, False),
    "before D and in the window": ([_START - _DAY, _START + 5 * _DAY], None, False),
    "at D": ([_START], None, True),
    "a millisecond before the window": ([_START + _G * _DAY - 1], None, True),
    "at the window's first millisecond": ([_START + _G * _DAY], 1, False),
    "in the middle of the window": ([_START + 7 * _DAY + 5], 1, False),
    "at the window's last millisecond": ([_END - 1], 1, False),
    "at the window's end": ([_END], 0, False),
    "in the gap and in the window": ([_START + 5, _START + 5 * _DAY], None, True),
    "in the window and after it": ([_END + 5, _END - 5], 1, False),
}


@pytest.fixture(scope="module")
def edge_labels() -> dict[tuple[date, str], Label]:
    """Log end and user -> label as of D; the log ends exactly in time, or a day early.

    No cancellation was known when the snapshot was made: all came later.
    """
    seen = [record(userId=case, ts=_START - _DAY) for case in _CANCELS]
    cancels = [
        record(userId=case, ts=ts, sessionId=index, **_GONE)
        for case, (moments, *_) in _CANCELS.items()
        for index, ts in enumerate(moments)
    ]
    ends = (days_after(_D, _G + _H), days_after(_D, _G + _H - 1))
    found = _labels([*seen, *cancels], [_D], [Horizon(_H, _G)], ends, seen)
    return {(key[0], key[2]): label for key, label in found.items()}


@pytest.mark.parametrize("case", _CANCELS)
def test_label_is_by_the_first_cancellation_when_it_is(
    case: str, edge_labels: dict[tuple[date, str], Label]
) -> None:
    _, label, is_gap_cancel = _CANCELS[case]
    assert edge_labels[(days_after(_D, _G + _H), case)] == (label, True, is_gap_cancel)


@pytest.mark.parametrize("case", _CANCELS)
def test_label_is_unknown_when_log_is_a_day_short_and_cancel_is(
    case: str, edge_labels: dict[tuple[date, str], Label]
) -> None:
    assert edge_labels[(days_after(_D, _G + _H - 1), case)][:2] == (None, False)


@pytest.mark.sample_data
def test_labels_equal_the_oracle_on_real_logs(sample_data: Path) -> None:
    records = list(oracles.read_records(sample_data / "seven_users.json.gz"))
    end = max(event.day for event in oracles.accept_events(records)) + timedelta(days=1)
    asked = ((date(2018, 10, 8), date(2018, 10, 22), end), [_HEADLINE], [end])
    assert _labels(records, *asked) == _expected(records, *asked)
