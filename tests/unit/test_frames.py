"""Rows on the driver: what a function returns is as Spark's workers would return it."""

from __future__ import annotations

import pandas as pd
import pytest
from pyspark.sql import types as T

from churn_spark.lakehouse.frames import Batches, apply, collect, first_rows, numbered

USERS = pd.DataFrame({"as_of": ["d"] * 4, "user_id": ["10", "9", "Z", "a"], "risk": [1, 2, 2, 0]})
SCHEMA = T.StructType(
    [T.StructField("user_id", T.StringType()), T.StructField("songs", T.IntegerType())]
)


def count_songs(batches: Batches) -> Batches:
    for batch in batches:
        assert len(batch)
        yield pd.DataFrame({"songs": batch["risk"], "user_id": batch["user_id"], "more": 1})


def test_columns_are_those_of_the_schema_by_name() -> None:
    found = apply(USERS, count_songs, SCHEMA)
    assert list(found.columns) == ["user_id", "songs"]
    assert found["songs"].dtype == "int32"


def test_function_meets_no_batch_without_rows() -> None:
    found = apply(USERS.iloc[:0], count_songs, SCHEMA)
    assert isinstance(found, pd.DataFrame)
    assert found.dtypes.astype(str).to_dict() == {"user_id": "object", "songs": "int32"}


def test_column_that_is_missing_is_refused() -> None:
    with pytest.raises(KeyError, match="songs"):
        apply(USERS, lambda batches: (batch[["user_id"]] for batch in batches), SCHEMA)


def test_ties_are_broken_by_the_code_points_of_the_id() -> None:
    with numbered(USERS, ["-risk", "user_id"], "place") as found:
        assert collect(found)["place"].tolist() == [3, 1, 2, 4]
    assert first_rows(USERS, ["-risk", "-user_id"], 3)["user_id"].tolist() == ["Z", "9", "10"]
