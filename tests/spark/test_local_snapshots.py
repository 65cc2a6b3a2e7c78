"""Snapshots of one process against those of Spark's windows, to the last bit."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from pyspark.sql import DataFrame, SparkSession

from churn_spark.config import load_config
from churn_spark.contracts.features.spec import ASKED
from churn_spark.contracts.tables import SESSION_DAYS, SNAPSHOTS
from churn_spark.features.local.snapshots import build_snapshots
from churn_spark.features.local.totals import add_days, no_totals
from churn_spark.features.snapshots import build_snapshots as build_by_windows
from churn_spark.lakehouse.polars_schema import polars_schema_of
from tests.builders import random_records, read_events, write_lines
from tests.rollup_builders import build_session_days

_DATES = (date(2018, 10, 1), date(2018, 10, 9), date(2018, 11, 26), date(2019, 1, 20))
_ACTIVE_DAYS = 60

ReadRows = Callable[[DataFrame], pl.DataFrame]


@pytest.fixture
def read_rows(tmp_path: Path) -> ReadRows:
    """The rows of a Spark frame as Polars reads them from a table."""

    def read(rows: DataFrame) -> pl.DataFrame:
        path = tmp_path / str(len([*tmp_path.iterdir()]))
        rows.write.format("delta").save(str(path))
        return pl.read_delta(str(path))

    return read


def _check(session_days: DataFrame, dates: tuple[date, ...], read_rows: ReadRows) -> None:
    """Of all dates from all days, and of the last one from totals and the days since."""
    expected = read_rows(build_by_windows(session_days, dates, _ACTIVE_DAYS))
    days = read_rows(session_days).select(SESSION_DAYS.column_names)
    assert dict(days.schema) == polars_schema_of(SESSION_DAYS)
    log_start = days["event_date"].min()
    assert isinstance(log_start, date)
    before_dates = days.filter(pl.col("event_date") < max(dates))
    found = build_snapshots(before_dates, no_totals(), dates, log_start, _ACTIVE_DAYS)
    assert_frame_equal(
        found, expected.select(SNAPSHOTS.column_names), check_row_order=False, check_exact=True
    )
    last = max(dates)
    cut = last - timedelta(days=ASKED.longest_days)
    is_before = pl.col("event_date") < cut
    totals = add_days(before_dates.filter(is_before), no_totals(), cut, "")
    since = before_dates.filter(~is_before)
    assert_frame_equal(
        build_snapshots(since, totals, [last], log_start, _ACTIVE_DAYS),
        found.filter(pl.col("as_of") == last),
        check_row_order=False,
        check_exact=True,
    )


@pytest.mark.parametrize("seed", [2, 3])
def test_snapshots_equal_those_of_the_windows_on_random_logs(
    seed: int, spark: SparkSession, tmp_path_factory: pytest.TempPathFactory, read_rows: ReadRows
) -> None:
    path = write_lines(tmp_path_factory.mktemp("log") / "log.json", random_records(seed))
    _check(build_session_days(read_events(spark, [path], load_config())), _DATES, read_rows)


@pytest.mark.sample_data
@pytest.mark.parametrize(
    ("name", "dates"),
    [
        ("seven_users.json.gz", (date(2018, 10, 22), date(2018, 11, 30))),
        ("log_data", (date(2018, 11, 11), date(2018, 12, 1))),
        pytest.param(
            "customer_churn_mini.json.gz",
            (date(2018, 10, 8), date(2018, 11, 12), date(2018, 12, 2)),
            marks=pytest.mark.slow,
        ),
    ],
)
def test_snapshots_equal_those_of_the_windows_on_real_logs(
    name: str,
    dates: tuple[date, ...],
    spark: SparkSession,
    sample_data: Path,
    read_rows: ReadRows,
) -> None:
    days = build_session_days(read_events(spark, [sample_data / name], load_config()))
    _check(days, dates, read_rows)
