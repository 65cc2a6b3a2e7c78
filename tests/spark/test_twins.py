"""What the pipeline says of a user, on a Spark column or a matrix, is what its definition says."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import Column, SparkSession
from pyspark.sql import functions as F

from churn_spark.config import load_config
from churn_spark.contracts.features.segments import SEGMENT_SOURCES
from churn_spark.evaluation.segments import segments_of, tenure_band
from churn_spark.models.estimators import offset_column
from churn_spark.models.offset import Offset
from churn_spark.models.splits import (
    bucket_column,
    bucket_of,
    fold_column,
    held_out_users,
    split_column,
    split_of,
)
from churn_spark.scoring.bands import BandLimits
from tests import oracle_users

CONFIG = load_config()
USER_IDS = [*map(str, range(196)), "", "4 2", "Zoë", "\N{MUSICAL SYMBOL G CLEF}" * 40]
SEEDS = (0, 7, 2**31)
_DRAWN = [random.Random(5).random() for _ in range(200)]


def computed(
    spark: SparkSession, values: Sequence[Any], kind: str, *columns: Column
) -> list[tuple[Any, ...]]:
    """The columns for each `value`, in the order of the values."""
    rows = spark.createDataFrame(list(enumerate(values)), f"place int, value {kind}")
    found = rows.select("place", *columns).orderBy("place").collect()
    return [tuple(row)[1:] for row in found]


def around(*limits: float) -> list[float]:
    """Each limit, and the numbers next to it."""
    return [near for x in limits for near in (math.nextafter(x, -9), x, math.nextafter(x, 9e9))]


@pytest.mark.parametrize("seed", SEEDS)
def test_users_are_split_by_their_hash(spark: SparkSession, seed: int) -> None:
    config = CONFIG.training.model_copy(update={"seed": seed})
    shares = config.validation_share, config.stopping_share
    bucket = bucket_column(F.col("value"), seed)
    is_held_out = held_out_users(F.col("value"), config)
    found = computed(spark, USER_IDS, "string", bucket, split_column(bucket, *shares), is_held_out)
    buckets = [oracle_users.bucket(user_id, seed) for user_id in USER_IDS]
    parts = [oracle_users.split(bucket, *shares) for bucket in buckets]
    assert set(parts) == {"train", "stopping", "validation"}
    assert found == [
        (b, part, part == "validation") for b, part in zip(buckets, parts, strict=True)
    ]
    assert [bucket_of(user_id, seed) for user_id in USER_IDS] == buckets
    assert [split_of(user_id, config) for user_id in USER_IDS] == parts


@pytest.mark.parametrize("shares", [(0.25, 0.5), (0.2, 0.25), (0.0, 0.0)])
def test_bucket_at_a_border_belongs_to_the_part_above(
    spark: SparkSession, shares: tuple[float, float]
) -> None:
    validation, stopping = shares
    buckets = [0.0, *around(validation, validation + (1 - validation) * stopping), 1 - 2**-32]
    found = computed(spark, buckets, "double", split_column(F.col("value"), *shares))
    assert found == [(oracle_users.split(bucket, *shares),) for bucket in buckets]


@pytest.mark.parametrize(("share", "n_folds"), [(0.2, 4), (0.25, 3), (0.0, 2)])
def test_folds_are_equal_shares_of_those_who_are_not_held_out(
    spark: SparkSession, share: float, n_folds: int
) -> None:
    borders = [share + (1 - share) * fold / n_folds for fold in range(n_folds)]
    middles = [(place + 0.5) / 1000 for place in range(1000)]
    # The last two are a border's rounding apart from 1.
    buckets = [*middles, *around(*borders[1:]), share, 1 - 2**-32, math.nextafter(1, 0)]
    found = computed(spark, buckets, "double", fold_column(F.col("value"), share, n_folds))
    assert found == [(oracle_users.fold(bucket, share, n_folds),) for bucket in buckets]
    sizes = Counter(fold for (fold,) in found[:1000])
    size = 1000 * (1 - share) / n_folds
    assert all(sizes[fold] == pytest.approx(size, abs=1) for fold in range(n_folds))
    assert sizes[None] == round(1000 * share)


def test_band_has_its_lower_end() -> None:
    base_rate = 0.037
    high = CONFIG.scoring.high_risk_lift * base_rate
    medium = CONFIG.scoring.medium_risk_lift * base_rate
    probabilities = [0.0, 1.0, *around(high, medium), *_DRAWN, *(p / 10 for p in _DRAWN)]
    expected = [oracle_users.risk_band(p, high, medium) for p in probabilities]
    assert set(expected) == {"high", "medium", "low"}
    limits = BandLimits.of(base_rate, CONFIG.scoring)
    assert [limits.band(p) for p in probabilities] == expected


def test_tenure_band_has_its_upper_end() -> None:
    tenures = [None, math.nan, -1.0, 0.0, *around(30.0, 90.0), 1e9, *(200 * x for x in _DRAWN)]
    expected = [oracle_users.tenure_band(tenure) for tenure in tenures]
    assert list(tenure_band(pd.Series(tenures, dtype=float))) == expected


def test_segments_of_a_user_of_whom_nothing_is_known_are_unknown() -> None:
    rows = pd.DataFrame([(None, None, None), ("free", 1.0, "iOS")], columns=[*SEGMENT_SOURCES])
    found = segments_of(rows, "of_")
    assert list(found.columns) == ["of_level", "of_tenure_band", "of_os"]
    assert found.to_numpy().tolist() == [["unknown"] * 3, ["free", "up to 30 days", "iOS"]]


def test_offset_is_the_log_odds_for_spark_and_for_a_matrix(spark: SparkSession) -> None:
    least = around(1e-6, 1 - 1e-6)
    chances = [None, math.nan, 0.0, 0.5, 1.0, *least, *_DRAWN, *(p / 1000 for p in _DRAWN)]
    expected = [oracle_users.log_odds(chance, 0.05) for chance in chances]
    found = computed(spark, chances, "double", offset_column(Offset.at("value", 0.05)))
    assert [row[0] for row in found] == pytest.approx(expected, rel=1e-9, abs=1e-12)
    matrix = np.column_stack([np.ones(len(chances)), np.array(chances, dtype=float)])
    values = Offset.at("value", 0.05).values(matrix, ["other", "value"])
    assert values.tolist() == pytest.approx(expected, rel=1e-9, abs=1e-12)
