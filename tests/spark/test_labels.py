"""Labels against the oracle, at the edges of their windows, and while the log is too short."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date, timedelta
from functools import reduce
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from churn_spark.config import Config, load_config
from churn_spark.contracts.tables import LABELS
from churn_spark.features.labels import (
    build_first_cancels,
    build_labels,
    build_lifetime_labels,
    with_horizon,
)
from churn_spark.features.session_days import build_session_days
from churn_spark.features.snapshots import build_lifetime_snapshots, build_snapshots
from churn_spark.lakehouse.schema import struct_of
from churn_spark.timeline import Horizon, days_after
from tests import oracle_features, oracles
from tests.builders import collect_dicts, random_records, read_events, record, write_lines

_DAY = 86_400_000
_HEADLINE, _CONTEST, _LONG = Horizon(14, 1), Horizon(10, 0), Horizon(7, 3)
_KEY = ("as_of", "user_id", "horizon_days", "gap_days")

Record = dict[str, Any]
Load = Callable[[Iterable[Record]], DataFrame]


@pytest.fixture(scope="module")
def load(
    spark: SparkSession, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[Iterable[Record]], DataFrame]:
    """Session days of any records, by way of a file."""
    config: Config = load_config()

    def load_records(records: Iterable[Record]) -> DataFrame:
        path = write_lines(tmp_path_factory.mktemp("log") / "log.json", records)
        return build_session_days(read_events(spark, [path], config)).cache()

    return load_records


def _labels_by_log_end(
    population: DataFrame,
    session_days: DataFrame,
    horizons: Iterable[Horizon],
    log_ends: Iterable[date],
) -> dict[tuple[Any, ...], dict[str, Any]]:
    """All labels in one job; the log's end is the first part of the key."""
    parts = [
        build_labels(population, session_days, horizon, end).withColumn("log_end", F.lit(end))
        for horizon in horizons
        for end in log_ends
    ]
    return collect_dicts(reduce(DataFrame.unionByName, parts), "log_end", *_KEY)


_DATES = (date(2018, 10, 9), date(2018, 11, 26), date(2018, 12, 10))
_LOG_ENDS = (date(2018, 12, 11), date(2019, 6, 1))


def test_labels_equal_the_oracle_when_log_is_random(load: Load) -> None:
    records = random_records(seed=3)
    session_days = load(records)
    population = build_snapshots(session_days, _DATES, 60).select("as_of", "user_id").cache()
    horizons = (_HEADLINE, _CONTEST, _LONG)
    found = _labels_by_log_end(population, session_days, horizons, _LOG_ENDS)
    log = oracles.accept_events(records)
    expected = {}
    for day in _DATES:
        for user in oracle_features.features_as_of(log, day):
            for horizon in horizons:
                for end in _LOG_ENDS:
                    label = oracles.horizon_label(
                        log, user, day, horizon.days, horizon.gap_days, end
                    )
                    expected[(end, day, user, horizon.days, horizon.gap_days)] = {
                        "label": label.value,
                        "is_known": label.is_known,
                        "is_gap_cancel": label.is_gap_cancel,
                    }
    assert {row["label"] for row in expected.values()} == {0, 1, None}
    assert any(row["is_gap_cancel"] for row in expected.values())
    assert found == expected


_D = date(2018, 10, 15)
_START = oracles.millis_of(_D)
_H, _G = 14, 2
_END = _START + (_G + _H) * _DAY
_CANCELS: dict[str, tuple[list[int], int | None, bool]] = {
    "never": ([], 0, False),
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
def edges(load: Load) -> DataFrame:
    """Session days of one user per case, and of one who cancelled just before D."""
    gone = {"page": "Cancellation Confirmation", "auth": "Cancelled"}
    cancels = {case: moments for case, (moments, *_) in _CANCELS.items()}
    cancels["a millisecond before D"] = [_START - 1]
    records = [record(userId=case, ts=_START - _DAY) for case in cancels]
    records += [
        record(userId=case, ts=ts, sessionId=index, **gone)
        for case, moments in cancels.items()
        for index, ts in enumerate(moments)
    ]
    return load(records)


@pytest.fixture(scope="module")
def edge_labels(edges: DataFrame) -> dict[tuple[date, str], dict[str, Any]]:
    """Log end and user -> label as of D; the log ends exactly in time, or a day early."""
    population = build_snapshots(edges, [_D], 60).select("as_of", "user_id").cache()
    ends = (days_after(_D, _G + _H), days_after(_D, _G + _H - 1))
    found = _labels_by_log_end(population, edges, [Horizon(_H, _G)], ends)
    return {(key[0], key[2]): row for key, row in found.items()}


@pytest.mark.parametrize("case", _CANCELS)
def test_label_is_by_the_first_cancellation_when_it_is(
    case: str, edge_labels: dict[tuple[date, str], dict[str, Any]]
) -> None:
    _, label, is_gap_cancel = _CANCELS[case]
    found = edge_labels[(days_after(_D, _G + _H), case)]
    assert found == {"label": label, "is_known": True, "is_gap_cancel": is_gap_cancel}


@pytest.mark.parametrize("case", _CANCELS)
def test_label_is_unknown_when_log_is_a_day_short_and_cancel_is(
    case: str, edge_labels: dict[tuple[date, str], dict[str, Any]]
) -> None:
    found = edge_labels[(days_after(_D, _G + _H - 1), case)]
    assert (found["label"], found["is_known"]) == (None, False)


def test_user_has_no_label_when_cancelled_before_the_date(
    edge_labels: dict[tuple[date, str], dict[str, Any]],
) -> None:
    assert {user for _, user in edge_labels} == set(_CANCELS)


def test_first_cancels_have_one_row_a_user_when_confirmed_twice(edges: DataFrame) -> None:
    cancels = build_first_cancels(edges).withColumn("cancel_ts", F.unix_millis("cancel_ts"))
    expected = {
        (case,): {"cancel_ts": min(moments)} for case, (moments, *_) in _CANCELS.items() if moments
    }
    expected[("a millisecond before D",)] = {"cancel_ts": _START - 1}
    assert collect_dicts(cancels, "user_id") == expected


@pytest.mark.parametrize(
    ("days_later", "cancelled"),
    [
        (0, ["a millisecond before D"]),
        (1, ["a millisecond before D", "at D", "in the gap and in the window"]),
    ],
)
def test_lifetime_label_is_1_when_cancelled_before_the_date(
    days_later: int, cancelled: list[str], edges: DataFrame
) -> None:
    population = build_lifetime_snapshots(edges, days_after(_D, days_later))
    labels = collect_dicts(build_lifetime_labels(population, edges), "user_id")
    assert set(labels) == {(case,) for case in (*_CANCELS, "a millisecond before D")}
    assert sorted(user for (user,), row in labels.items() if row["label"] == 1) == cancelled


def test_lifetime_labels_equal_the_oracle_when_log_is_random(load: Load) -> None:
    records = random_records(seed=4)
    session_days, log = load(records), oracles.accept_events(records)
    end = max(event.day for event in log) + timedelta(days=1)
    population = build_lifetime_snapshots(session_days, end)
    found = collect_dicts(build_lifetime_labels(population, session_days), "user_id")
    expected = {
        (user,): {"as_of": end, "label": oracles.lifetime_label(log, user, end)}
        for user in oracle_features.lifetime_features(log, end)
    }
    assert {row["label"] for row in expected.values()} == {0, 1}
    assert found == expected


def _stored(spark: SparkSession) -> DataFrame:
    """Labels of the headline as once built: known, unknown, and those of another horizon."""
    days, gap = _HEADLINE.days, _HEADLINE.gap_days
    rows = [
        (date(2018, 10, 1), "a", days, gap, 0, True, False),
        (date(2018, 10, 8), "a", days, gap, None, False, False),
        (date(2018, 10, 8), "b", days, gap, None, False, True),
        (date(2018, 10, 15), "a", days, gap, None, False, False),
        (date(2018, 10, 2), "a", _CONTEST.days, _CONTEST.gap_days, None, False, False),
        (date(2018, 10, 3), "a", days, _CONTEST.gap_days, None, False, False),
    ]
    return spark.createDataFrame(rows, struct_of(LABELS))


def test_labels_are_of_one_window_and_gap_when_others_are_stored(spark: SparkSession) -> None:
    rows = with_horizon(_stored(spark), _CONTEST).collect()
    assert [(row.as_of, row.horizon_days, row.gap_days) for row in rows] == [
        (date(2018, 10, 2), _CONTEST.days, _CONTEST.gap_days)
    ]


@pytest.mark.sample_data
def test_labels_equal_the_oracle_on_real_logs(spark: SparkSession, sample_data: Path) -> None:
    path = sample_data / "seven_users.json.gz"
    log = oracles.accept_events(oracles.read_records(path))
    session_days = build_session_days(read_events(spark, [path], load_config()))
    end = max(event.day for event in log) + timedelta(days=1)
    dates = (date(2018, 10, 8), date(2018, 10, 22), end)
    population = build_snapshots(session_days, dates, 60)
    found = _labels_by_log_end(population, session_days, [_HEADLINE], [end])
    expected = {}
    for day in dates:
        for user in oracle_features.features_as_of(log, day):
            label = oracles.horizon_label(log, user, day, 14, 1, end)
            expected[(day, user)] = (label.value, label.is_known, label.is_gap_cancel)
    assert {key[1:3]: tuple(row.values()) for key, row in found.items()} == expected
