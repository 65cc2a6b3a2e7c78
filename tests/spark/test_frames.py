"""Rows on the driver and in Spark: each operation gives the same on both sides."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, timedelta

import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import types as T

from churn_spark.lakehouse.frames import (
    Batches,
    Rows,
    apply,
    apply_by,
    collect,
    count_and_sum,
    count_by,
    count_rows,
    first_rows,
    join,
    numbered,
    of_users,
    only,
    sample_rows,
    stack,
    with_constants,
    without_users,
)

DAY = date(2018, 11, 5)
SCHEMA = T.StructType(
    [
        T.StructField("as_of", T.DateType()),
        T.StructField("user_id", T.StringType()),
        T.StructField("risk", T.DoubleType()),
        T.StructField("songs", T.LongType()),
    ]
)
COUNTED = T.StructType(
    [
        T.StructField("user_id", T.StringType()),
        T.StructField("songs", T.IntegerType()),
        T.StructField("half", T.DoubleType()),
        T.StructField("pages", T.ArrayType(T.LongType())),
    ]
)
KEYS = ["as_of", "user_id"]


def users() -> list[tuple[object, ...]]:
    """Ids that sort otherwise as numbers and beyond ASCII; ties; nulls."""
    ids = [*map(str, range(40)), "Zoë", "zoe", "", "\N{MUSICAL SYMBOL G CLEF}", "\ufffd"]
    return [
        (DAY + timedelta(days=n % 2), user, (n % 3) / 3, None if n % 7 == 0 else n % 5)
        for n, user in enumerate(ids)
    ]


def half(batches: Batches) -> Batches:
    """Other columns, in another order, with a number that isn't known and a list."""
    for batch in batches:
        yield pd.DataFrame(
            {
                "pages": [[n, n + 1] for n in range(len(batch))],
                "half": batch["songs"].where(batch["songs"] > 1) / 2,
                "songs": batch["songs"],
                "user_id": batch["user_id"],
            }
        )


def most(part: pd.DataFrame) -> pd.DataFrame:
    """The row with the most songs of a day."""
    best = part.sort_values(["songs", "user_id"]).tail(1)
    return best[["songs", "as_of", "risk", "user_id"]]


@pytest.fixture(scope="module")
def both(spark: SparkSession) -> tuple[pd.DataFrame, DataFrame]:
    """The same rows on the driver and in Spark, there in three partitions."""
    frame = spark.createDataFrame(users(), SCHEMA)
    return frame.toPandas(), frame.repartition(3)


@pytest.mark.parametrize(
    "operation",
    [
        lambda rows: apply(rows, half, COUNTED)[["user_id", "songs", "half"]],
        lambda rows: apply_by(rows, "as_of", most, SCHEMA),
        lambda rows: only(rows, as_of=[DAY], songs=[1, 2]),
        lambda rows: join(rows, with_constants(only(rows, songs=[3]), kind="x")[[*KEYS, "kind"]],
                          KEYS, "left"),
        lambda rows: join(rows, only(rows, songs=[3])[KEYS], KEYS, "inner"),
        lambda rows: without_users(rows, {"7", "nobody", "Zoë"}),
        lambda rows: without_users(rows, set()),
        lambda rows: of_users(rows, pd.Series(["7", "nobody", "Zoë"])),
        lambda rows: stack([only(rows, songs=[1]), only(rows, songs=[4])]),
    ],
)  # fmt: skip
def test_rows_are_the_same(
    both: tuple[pd.DataFrame, DataFrame], operation: Callable[[Rows], Rows]
) -> None:
    here, in_spark = map(operation, both)
    assert isinstance(here, pd.DataFrame)
    assert isinstance(in_spark, DataFrame)
    found, expected = (
        collect(one).sort_values("user_id", ignore_index=True) for one in (here, in_spark)
    )
    assert len(found)
    # Whole numbers are floats for pandas where some are missing, also of rows left out since.
    pd.testing.assert_frame_equal(found[list(expected.columns)], expected, check_dtype=False)


def test_places_are_the_same_and_no_task_of_spark_needs_all_rows_of_a_date(
    both: tuple[pd.DataFrame, DataFrame],
) -> None:
    found = []
    for rows in (*both, only(both[1], as_of=[DAY])):
        with numbered(rows, ["-risk", "user_id"], "place") as with_places:
            found.append(collect(with_places).sort_values(KEYS, ignore_index=True))
            if isinstance(with_places, DataFrame):
                plan = with_places._jdf.queryExecution().analyzed().toString()
                assert re.search(r"windowspecdefinition\(as_of#\d+, _range#\d+, risk", plan)
    here, in_spark, of_one_date = found
    pd.testing.assert_frame_equal(here, in_spark, check_dtype=False)
    # Of both dates each is a range; of one date the ranges are parts of it.
    pd.testing.assert_frame_equal(only(in_spark, as_of=[DAY]), of_one_date, check_dtype=False)


@pytest.mark.parametrize(
    "answer",
    [
        count_rows,
        lambda rows: count_by(rows, "user_id"),
        lambda rows: count_and_sum(rows, "songs"),
        lambda rows: count_and_sum(only(rows, user_id=["nobody"]), "songs"),
        lambda rows: first_rows(rows, ["-risk", "user_id"], 9)[KEYS].to_csv(),
        lambda rows: first_rows(rows, ["as_of", "-risk", "-user_id"], 9)[KEYS].to_csv(),
        lambda rows: sample_rows(rows, 12)[KEYS].to_csv(),
        lambda rows: sample_rows(rows, 1000)[KEYS].to_csv(),
        lambda rows: collect(apply(rows, half, COUNTED))["pages"].map(len).tolist(),
    ],
)
def test_answers_are_the_same(
    both: tuple[pd.DataFrame, DataFrame], answer: Callable[[Rows], object]
) -> None:
    here, in_spark = map(answer, both)
    assert here == in_spark


def test_what_a_function_returns_is_typed_as_in_spark(
    both: tuple[pd.DataFrame, DataFrame],
) -> None:
    found = collect(apply(both[0].iloc[:0], half, COUNTED))
    assert list(found.columns) == COUNTED.names
    assert found.empty
    known = collect(apply(only(both[0], songs=[2]), half, COUNTED))
    assert known["songs"].dtype == "int32"
    assert known["half"].tolist() == [1.0] * len(known)
