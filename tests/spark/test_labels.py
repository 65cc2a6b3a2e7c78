"""Lifetime labels, and stored labels of one window and gap."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date, timedelta
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from churn_spark.config import Config, load_config
from churn_spark.contracts.tables import LABELS
from churn_spark.features.labels import (
    build_first_cancels,
    build_lifetime_labels,
    with_horizon,
)
from churn_spark.features.snapshots import build_lifetime_snapshots
from churn_spark.lakehouse.schema import struct_of
from churn_spark.timeline import Horizon, days_after
from tests import oracle_features, oracles
from tests.builders import collect_dicts, random_records, read_events, record, write_lines
from tests.rollup_builders import build_session_days

_DAY = 86_400_000
_HEADLINE, _CONTEST = Horizon(14, 1), Horizon(10, 0)

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


_D = date(2018, 10, 15)
_START = oracles.millis_of(_D)
_CANCELS: dict[str, list[int]] = {
    "never": [],
    "a millisecond before D": [_START - 1],
    "at D": [_START],
    "on that day and later": [_START + 5, _START + 5 * _DAY],
    "a month later": [_START + 30 * _DAY],
}


@pytest.fixture(scope="module")
def edges(load: Load) -> DataFrame:
    """Session days of one user per case, and of one who cancelled just before D."""
    gone = {"page": "Cancellation Confirmation", "auth": "Cancelled"}
    records = [record(userId=case, ts=_START - _DAY) for case in _CANCELS]
    records += [
        record(userId=case, ts=ts, sessionId=index, **gone)
        for case, moments in _CANCELS.items()
        for index, ts in enumerate(moments)
    ]
    return load(records)


def test_first_cancels_have_one_row_a_user_when_confirmed_twice(edges: DataFrame) -> None:
    cancels = build_first_cancels(edges).withColumn("cancel_ts", F.unix_millis("cancel_ts"))
    expected = {
        (case,): {"cancel_ts": min(moments)} for case, moments in _CANCELS.items() if moments
    }
    assert collect_dicts(cancels, "user_id") == expected


@pytest.mark.parametrize(
    ("days_later", "cancelled"),
    [
        (0, ["a millisecond before D"]),
        (1, ["a millisecond before D", "at D", "on that day and later"]),
    ],
)
def test_lifetime_label_is_1_when_cancelled_before_the_date(
    days_later: int, cancelled: list[str], edges: DataFrame
) -> None:
    population = build_lifetime_snapshots(edges, days_after(_D, days_later))
    labels = collect_dicts(build_lifetime_labels(population, edges), "user_id")
    assert set(labels) == {(case,) for case in _CANCELS}
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
