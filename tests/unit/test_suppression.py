"""The suppression list: CSV and Parquet give the same rows, and one message what is wrong."""

from __future__ import annotations

import io
from datetime import date, datetime
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from churn_spark.errors import InputError
from churn_spark.scoring.suppression import parse_suppressed


def parquet(**columns: list[Any]) -> bytes:
    buffer = io.BytesIO()
    pd.DataFrame(columns).to_parquet(buffer, index=False)
    return buffer.getvalue()


def refusal(content: bytes) -> str:
    with pytest.raises(InputError) as caught:
        parse_suppressed(content, "list.csv")
    return str(caught.value)


def test_rows_are_read_from_csv_in_any_order_of_columns() -> None:
    content = b'\xef\xbb\xbfuntil,user_id\r\n2018-12-01,7\r\n,NA\r\n"2018-12-02", 8 \r\n\r\n'
    assert parse_suppressed(content, "list.csv") == [
        ("7", date(2018, 12, 1)),
        ("NA", None),
        ("8", date(2018, 12, 2)),
    ]


@pytest.mark.parametrize("content", [b"user_id,until\n", b"user_id,until"])
def test_list_may_be_empty(content: bytes) -> None:
    assert parse_suppressed(content, "list.csv") == []


@pytest.mark.parametrize(
    ("users", "until"),
    [
        (["7", "8"], ["2018-12-01", None]),
        ([7, 8], [date(2018, 12, 1), None]),
        ([7, 8], [datetime(2018, 12, 1), pd.NaT]),  # noqa: DTZ001
        (["7", "8"], ["2018-12-01", ""]),
    ],
    ids=["texts", "dates", "instants at midnight", "empty text"],
)
def test_rows_are_read_from_parquet(users: list[Any], until: list[Any]) -> None:
    found = parse_suppressed(parquet(user_id=users, until=until), "list")
    assert found == [("7", date(2018, 12, 1)), ("8", None)]


@given(
    rows=st.lists(
        st.tuples(st.text("ab7-é;, \"'", min_size=1), st.none() | st.dates(date(1990, 1, 1)))
    )
)
def test_csv_and_parquet_give_the_same(rows: list[tuple[str, date | None]]) -> None:
    rows = [(user.strip(), day) for user, day in rows if user.strip()]
    frame = pd.DataFrame(rows, columns=["user_id", "until"], dtype=object)
    expected = parse_suppressed(frame.to_csv(index=False).encode(), "list.csv")
    assert expected == rows
    users, until = frame["user_id"].tolist(), frame["until"].tolist()
    if rows:
        assert parse_suppressed(parquet(user_id=users, until=until), "list") == expected


@pytest.mark.parametrize(
    ("content", "columns"),
    [
        (b"", "none"),
        (b"user_id\n7\n", "user_id"),
        (b"user_id,until,why\n7,,\n", "user_id, until, why"),
        (b"user_id;until\n7;2018-12-01\n", "user_id;until"),
        (b"user_id,until,until\n7,,\n", "user_id, until, until"),
        (parquet(id=["7"], until=["2018-12-01"]), "id, until"),
    ],
    ids=str,
)
def test_list_is_refused_when_columns_are_not_the_two(content: bytes, columns: str) -> None:
    assert refusal(content) == (
        f"the suppression list list.csv has the columns {columns}; expected user_id and until, "
        "separated by a comma: rename, add or remove the others"
    )


def test_list_is_refused_once_with_all_that_is_wrong() -> None:
    content = b"user_id,until\n7,tomorrow\n,2018-12-01\n8\n9,20181201\n5,2018-12-01\n6,2018-02-30\n"
    assert refusal(content) == (
        "the suppression list list.csv doesn't fit: row 1 has until 'tomorrow'; row 2 has no "
        "user_id; row 3 has 1 cell and 2 more; expected a user_id, and until as YYYY-MM-DD or "
        "empty for good: mend these rows"
    )


@pytest.mark.parametrize(
    "content",
    [b"user_id,until\n\xff,\n", b'user_id,until\n"7,\n', b"PAR1 and no more"],
    ids=["not UTF-8", "open quote", "broken Parquet"],
)
def test_list_is_refused_when_it_cannot_be_read(content: bytes) -> None:
    assert "list.csv can't be read: " in refusal(content)


def test_time_of_day_is_no_date() -> None:
    content = parquet(user_id=["7"], until=[datetime(2018, 12, 1, 8)])  # noqa: DTZ001
    assert "row 1 has until '2018-12-01 08:00:00'" in refusal(content)
