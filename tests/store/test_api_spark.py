"""The Python interface with Spark: the same rows as without it, and Spark only when asked for."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from api_builders import STORED, load_log
from pyspark.sql import SparkSession

from churn_spark import Lakehouse

_KEYS = ["event_date", "user_id", "session_id"]


@pytest.fixture
def lake(spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lakehouse:
    """A lakehouse whose Spark is that of the tests."""
    lake = Lakehouse.open(load_log(tmp_path / "lake house").root)
    monkeypatch.setattr(lake, "_start_spark", lambda: spark)
    return lake


def test_close_leaves_a_session_that_was_there_before(spark: SparkSession, tmp_path: Path) -> None:
    with Lakehouse.open(load_log(tmp_path / "lake").root) as lake:
        assert lake.spark.range(3).count() == 3
    assert spark.range(3).count() == 3
    assert lake.spark.range(3).count() == 3


def test_user_has_no_scores_before_the_first(lake: Lakehouse) -> None:
    [first, *_] = lake.features(STORED[1]).pandas()["user_id"]
    user = lake.user(first)
    assert STORED[1] in [*user.snapshots["as_of"]]
    assert user.scores.empty
    assert user.lists.empty


def test_spark_arrow_and_pandas_hold_the_same_rows(lake: Lakehouse) -> None:
    days = lake.table("silver.session_days").between("event_date", "2018-10-02", "2018-11-20")
    by_spark = days.spark().toPandas().sort_values(_KEYS, ignore_index=True)
    assert len(by_spark) > 20
    for rows in (days.pandas(), days.arrow().to_pandas(date_as_object=True)):
        found = rows.sort_values(_KEYS, ignore_index=True)
        for instant in found.select_dtypes("datetimetz"):
            found[instant] = found[instant].dt.tz_localize(None)
        found = found.astype(by_spark.dtypes)
        pd.testing.assert_frame_equal(found, by_spark, check_exact=True)


def test_features_of_a_date_are_the_same_by_spark(lake: Lakehouse) -> None:
    features = lake.features(STORED[1])
    by_spark = features.spark().toPandas().sort_values("user_id", ignore_index=True)
    assert len(by_spark) > 5
    pd.testing.assert_frame_equal(features.pandas(), by_spark, check_exact=True)


def test_features_of_more_users_than_fit_are_computed_by_spark(
    lake: Lakehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = lake.features(STORED[1]).pandas()
    object.__setattr__(lake._tables, "max_local_users", 1)
    monkeypatch.setattr("churn_spark.api.features.build_in_process", None)
    pd.testing.assert_frame_equal(lake.features(STORED[1]).pandas(), here, check_exact=True)
