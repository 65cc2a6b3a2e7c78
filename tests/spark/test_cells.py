"""The Spark half of KS against the pure core, whatever the partitions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd
import pytest
from chispa import assert_df_equality
from pyspark.errors import PythonException
from pyspark.sql import DataFrame, Row, SparkSession

from bench.ks_samples import count_bins, count_missing
from churn_spark.errors import SchemaError
from churn_spark.monitoring.drift.ks import (
    ReferenceSample,
    build_reference,
    collect_bins,
    compare,
    sum_sparse,
)
from churn_spark.monitoring.frames.bin_counts import BINS_SCHEMA, count_bins_by_feature, share_edges

pytestmark = pytest.mark.spark

_SCHEMA = "user_id string, n_songs long, seconds double, is_paid boolean"
_PAST_FLOAT = 2**53 + 1

UserRow = tuple[str, int | None, float | None, bool | None]


def user_rows(n_users: int) -> list[UserRow]:
    """Rows with nulls, NaN, both zeros, infinities, ties and an integer beyond 2**53."""
    rng = np.random.default_rng(11)
    special = [None, math.nan, -0.0, 0.0, math.inf, -math.inf, 7.25]
    return [
        (
            f"u{user}",
            (None, _PAST_FLOAT)[user % 2] if user % 10 < 2 else int(rng.integers(-5, 40)),
            special[user % 7] if user % 3 == 0 else round(rng.normal(), user % 4),
            (None, True, False, True)[user % 4],
        )
        for user in range(n_users)
    ]


def column_of(rows: list[UserRow], position: Literal[1, 2, 3]) -> list[float]:
    values = [row[position] for row in rows]
    return [math.nan if value is None else float(value) for value in values]


@pytest.fixture(scope="module")
def baselines() -> dict[str, ReferenceSample]:
    rng = np.random.default_rng(5)
    return {
        "n_songs": build_reference(rng.integers(0, 30, 400)),
        "seconds": build_reference([*rng.normal(size=300).round(2), 0.0, math.inf, math.nan]),
        "is_paid": build_reference([0.0, 1.0, 1.0]),
    }


def count(
    users: DataFrame, baselines: dict[str, ReferenceSample], segments: Sequence[str] = ()
) -> DataFrame:
    counted = count_bins_by_feature(users, share_edges(users, baselines), segments)
    assert isinstance(counted, DataFrame)
    return counted


def sorted_rows(counts: DataFrame) -> list[Row]:
    return sorted(counts.collect())


def test_counts_equal_the_pure_core(
    spark: SparkSession, baselines: dict[str, ReferenceSample]
) -> None:
    rows = user_rows(500)
    found = count(spark.createDataFrame(rows, _SCHEMA), baselines).collect()
    positions: dict[str, Literal[1, 2, 3]] = {"n_songs": 1, "seconds": 2, "is_paid": 3}
    assert sorted((row.slice, row.feature) for row in found) == [
        ("all", f) for f in sorted(positions)
    ]
    for row in found:
        values, baseline = column_of(rows, positions[row.feature]), baselines[row.feature]
        assert row.cells == sorted(set(row.cells))
        cells, n_missing = collect_bins(baseline, row.cells, row.counts)
        np.testing.assert_array_equal(cells, count_bins(baseline, values))
        assert n_missing == count_missing(values) > 0
        assert compare(baseline, cells, n_missing) == compare(
            baseline, count_bins(baseline, values), count_missing(values)
        )


def test_slices_of_a_segment_count_their_own_rows(
    spark: SparkSession, baselines: dict[str, ReferenceSample]
) -> None:
    rows = user_rows(700)
    users = spark.createDataFrame(rows, _SCHEMA).selectExpr(
        "*", "if(hash(user_id) % 3 = 0, 'free', 'paid') as segment_level"
    )
    counted = count(users.repartition(5), baselines, ["level"]).collect()
    whole = {row.feature: row for row in counted if row.slice == "all"}
    for level in ("free", "paid"):
        part = users.filter(f"segment_level = '{level}'")
        expected = {row.feature: row for row in count(part, baselines).collect()}
        found = {row.feature: row for row in counted if row.slice == f"level={level}"}
        assert set(found) == set(baselines)
        for feature, row in found.items():
            assert (row.cells, row.counts) == (expected[feature].cells, expected[feature].counts)
            assert sum(row.counts) < sum(whole[feature].counts) == 700


def test_counts_are_the_same_on_the_driver(
    spark: SparkSession, baselines: dict[str, ReferenceSample]
) -> None:
    users = spark.createDataFrame(user_rows(500), _SCHEMA).selectExpr(
        "*", "if(hash(user_id) % 3 = 0, 'free', 'paid') as segment_level"
    )
    here = users.toPandas()
    found = count_bins_by_feature(here, share_edges(here, baselines), ["level"])
    assert isinstance(found, pd.DataFrame)
    rows = sorted(
        (row.slice, row.feature, list(row.cells), list(row.counts)) for row in found.itertuples()
    )
    assert rows == [
        tuple(row) for row in sorted_rows(count(users.repartition(5), baselines, ["level"]))
    ]
    assert len(rows) == 9


def test_nights_add_up(spark: SparkSession, baselines: dict[str, ReferenceSample]) -> None:
    rows = user_rows(300)
    both, *nights = (
        {row.feature: row for row in count(part, baselines).collect()}
        for part in (
            spark.createDataFrame(rows, _SCHEMA),
            spark.createDataFrame(rows[:100], _SCHEMA),
            spark.createDataFrame(rows[100:], _SCHEMA),
        )
    )
    for feature, row in both.items():
        cells, counts = sum_sparse(
            [night[feature].cells for night in nights], [night[feature].counts for night in nights]
        )
        assert (row.cells, row.counts) == (cells.tolist(), counts.tolist())


def test_counts_are_the_same_when_partitions_differ(
    spark: SparkSession, baselines: dict[str, ReferenceSample]
) -> None:
    users = spark.createDataFrame(user_rows(500), _SCHEMA)
    # Three keys, so at least 17 of the 20 partitions are empty.
    lopsided = users.repartition(20, "is_paid")
    whole = count(users.coalesce(1), baselines).cache()
    for split in (users.repartition(7), users.repartition(20), lopsided):
        found = count(split, baselines)
        assert_df_equality(found, whole, ignore_row_order=True)


def test_counts_are_the_same_when_batches_are_small(
    spark: SparkSession, baselines: dict[str, ReferenceSample]
) -> None:
    users = spark.createDataFrame(user_rows(100), _SCHEMA).coalesce(1)
    option = "spark.sql.execution.arrow.maxRecordsPerBatch"
    before = spark.conf.get(option)
    whole = sorted_rows(count(users, baselines))
    try:
        spark.conf.set(option, "7")
        assert sorted_rows(count(users, baselines)) == whole
    finally:
        spark.conf.set(option, str(before))


def test_result_is_empty_when_there_are_no_rows(
    spark: SparkSession, baselines: dict[str, ReferenceSample]
) -> None:
    found = count(spark.createDataFrame([], _SCHEMA), baselines)
    assert_df_equality(found, spark.createDataFrame([], BINS_SCHEMA), ignore_nullable=True)
    cells, n_missing = collect_bins(baselines["seconds"], [], [])
    assert compare(baselines["seconds"], cells, n_missing).status == "skipped"


def test_all_wrong_columns_are_named_at_once(
    spark: SparkSession, baselines: dict[str, ReferenceSample]
) -> None:
    users = spark.createDataFrame(user_rows(1), _SCHEMA)
    wrong = {**baselines, "user_id": baselines["seconds"], "absent": baselines["seconds"]}
    message = r"missing: \['absent'\].*user_id \(string\)"
    with pytest.raises(SchemaError, match=message):
        count_bins_by_feature(users.toPandas(), share_edges(users.toPandas(), wrong))
    with pytest.raises(PythonException, match=message):
        count(users, wrong).collect()


def test_no_references_are_refused(spark: SparkSession) -> None:
    with pytest.raises(ValueError, match="no reference"):
        count(spark.createDataFrame(user_rows(1), _SCHEMA), {})
