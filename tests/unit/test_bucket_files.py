"""Which files a task reads, and how they are dealt to the tasks."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from deltalake import DeltaTable

from churn_spark.contracts.tables import EVENTS
from churn_spark.lakehouse.bucket_files import BucketFiles, list_bucket_files, read_dates
from churn_spark.pipeline.rollup_task import deal
from tests.builders import millis, record
from tests.local_lakehouse import LocalLakehouse
from tests.rollup_tables import deliver

_DAY = 86_400_000
_START = millis("2018-10-01 12:00:00")
_USERS = "abcdefgh"


def day(number: int) -> date:
    return date(2018, 10, number)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Where the events are."""
    return tmp_path / "bronze" / "events"


@pytest.fixture
def events(tmp_path: Path) -> DeltaTable:
    """Batches of the first and second, the second to the fifth, and the ninth of October."""
    lakehouse = LocalLakehouse(str(tmp_path))
    for batch, days in enumerate([(1, 2), (2, 5), (9,)]):
        records = [
            record(ts=_START + (number - 1) * _DAY, userId=user)
            for number in days
            for user in _USERS
        ]
        deliver(lakehouse, records, batch)
    return DeltaTable(lakehouse.uri(EVENTS))


@pytest.mark.parametrize(
    ("days", "n_rows"),
    [
        ([1], 16),
        ([2], 32),
        ([3], 16),
        ([6, 7], 0),
        ([1, 9], 24),
        ([4, 20], 16),
        ([30], 0),
        ([], 0),
    ],
)
def test_only_files_that_may_have_the_dates_are_listed(
    days: list[int], n_rows: int, events: DeltaTable, place: Path
) -> None:
    buckets = list_bucket_files(events, str(place), [day(number) for number in days])
    assert sum(bucket.n_rows for bucket in buckets) == n_rows


def test_a_user_is_in_one_bucket_and_only_the_dates_are_read(
    events: DeltaTable, place: Path
) -> None:
    buckets = list_bucket_files(events, str(place), [day(2)])
    found = [read_dates(one, [day(2)], EVENTS, ["user_id", "event_date"], {}) for one in buckets]
    assert {date for rows in found for date in rows["event_date"]} == {day(2)}
    assert sorted(user for rows in found for user in rows["user_id"].unique()) == list(_USERS)
    assert len(found) > 1


def test_no_file_is_listed_of_an_empty_table(tmp_path: Path) -> None:
    lakehouse = LocalLakehouse(str(tmp_path))
    deliver(lakehouse, [], 0)
    table = lakehouse.uri(EVENTS)
    assert list_bucket_files(DeltaTable(table), table, [day(1)]) == []


def test_tasks_have_about_as_many_rows_each() -> None:
    buckets = [BucketFiles((str(n),), n) for n in (9, 1, 5, 4, 1)]
    hands = deal(buckets, 2)
    assert [sum(one.n_rows for one in hand) for hand in hands] == [10, 10]
    assert sorted(path for hand in hands for one in hand for path in one.paths) == list("11459")
    assert len(deal(buckets, 99)) == 5
    assert deal([], 4) == []
