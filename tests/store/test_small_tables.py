"""Small tables by deltalake and by Spark: the same rows, in each other's sight."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import UTC, date, datetime
from inspect import signature
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from delta.tables import DeltaTable
from pandas.testing import assert_frame_equal
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import to_arrow_schema

from churn_spark.contracts.tables import DATA_CHECKS, LABELS, TABLES, Column, TableSpec
from churn_spark.errors import SchemaError
from churn_spark.lakehouse.arrow_schema import arrow_schema
from churn_spark.lakehouse.location import native_root
from churn_spark.lakehouse.schema import struct_of
from churn_spark.lakehouse.selection import Between
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.pipeline.context import JobContext
from tests.spark_jobs import counted_jobs

NIGHT, NEXT = date(2018, 11, 5), date(2018, 11, 6)

ALL_TYPES = TableSpec(
    "monitoring",
    "all_types",
    "one row",
    (
        Column("night", "date", "the night"),
        Column("text", "string", "a text"),
        Column("small", "integer", "a number"),
        Column("large", "long", "a number"),
        Column("share", "double", "a number"),
        Column("moment", "timestamp", "an instant"),
        Column("is_so", "boolean", "whether"),
        Column("texts", "strings", "texts"),
        Column("counts", "longs", "counts"),
    ),
    partition_by=("night",),
)
FULL = (
    NIGHT, "a", 1, 2**40, 0.1, datetime(2018, 11, 5, 1, 2, 3, 4000, UTC), True, ["x", None], [1, 2],
)  # fmt: skip
HOLLOW = (NIGHT, None, None, None, None, None, None, None, None)


@pytest.fixture(params=["native", "spark"])
def lakehouse(request: pytest.FixtureRequest, context: JobContext) -> Lakehouse:
    """A lakehouse that Python reaches, and the same where only Spark does."""
    if request.param == "spark":
        context.lakehouse.__dict__["native_root"] = None
    assert context.lakehouse.is_native == (request.param == "native")
    return context.lakehouse


def check(night: date, name: str, found: float = 0.0) -> tuple[Any, ...]:
    return (night, name, found, "at most 1", True, f"{name} is fine")


def names(lakehouse: Lakehouse, **where: Any) -> list[str]:
    return sorted(lakehouse.read_rows(DATA_CHECKS, where)["name"])


def test_rows_are_replaced_by_night_and_read_by_both(lakehouse: Lakehouse) -> None:
    first = [check(NIGHT, "a"), check(NIGHT, "b"), check(NEXT, "c")]
    lakehouse.replace_rows(first, DATA_CHECKS, {"run_date": [NIGHT, NEXT]})
    lakehouse.replace_rows([check(NIGHT, "d")], DATA_CHECKS, {"run_date": [NIGHT]})
    assert names(lakehouse) == ["c", "d"]
    assert sorted(row["name"] for row in lakehouse.read(DATA_CHECKS).collect()) == ["c", "d"]


def test_first_write_makes_the_table_as_it_is_declared(lakehouse: Lakehouse) -> None:
    spec = dataclasses.replace(DATA_CHECKS, skipping_columns=("name",))
    lakehouse.replace_rows([check(NIGHT, "a")], spec, {"run_date": [NIGHT]})
    table = lakehouse.read(spec)
    assert table.schema == struct_of(spec)
    detail = DeltaTable.forPath(lakehouse.spark, lakehouse.path(spec)).detail().collect()[0]
    assert detail.description == spec.grain
    assert detail.partitionColumns == ["run_date"]
    assert detail.properties == {"delta.dataSkippingStatsColumns": "name"}


def test_first_native_write_is_one_commit_and_empty_rows_make_the_table(
    context: JobContext,
) -> None:
    context.lakehouse.replace_rows([check(NIGHT, "a")], DATA_CHECKS, {"run_date": [NIGHT]})
    assert context.lakehouse.version(DATA_CHECKS) == 0
    context.lakehouse.replace_rows([], ALL_TYPES, {"night": [NIGHT]})
    assert context.lakehouse.read(ALL_TYPES).schema == struct_of(ALL_TYPES)


@pytest.mark.parametrize("rows", [[FULL, HOLLOW], [FULL], [HOLLOW], []])
def test_rows_come_back_as_spark_gives_them(
    context: JobContext, rows: Sequence[tuple[Any, ...]]
) -> None:
    lakehouse = context.lakehouse
    lakehouse.replace_rows(rows, ALL_TYPES, {"night": [NIGHT]})
    # Spark 4 gives instants in nanoseconds.
    units = {"moment": "datetime64[us]"}
    expected = lakehouse.read(ALL_TYPES).orderBy("text").toPandas().astype(units)
    found = lakehouse.read_rows(ALL_TYPES).sort_values("text", na_position="first")
    # Where there are no rows Spark takes instants for nanoseconds.
    assert_frame_equal(found.reset_index(drop=True), expected, check_dtype=bool(rows))
    one_by_one = sorted(lakehouse.collect_rows(ALL_TYPES), key=lambda row: row.text or "")
    assert one_by_one == lakehouse.read(ALL_TYPES).orderBy("text").collect()


def test_what_is_missing_and_what_is_no_number_stay_apart(lakehouse: Lakehouse) -> None:
    rows = [check(NIGHT, "none"), check(NIGHT, "nan", float("nan"))]
    rows[0] = (*rows[0][:2], None, *rows[0][3:])
    lakehouse.replace_rows(rows, DATA_CHECKS, {"run_date": [NIGHT]})
    found = lakehouse.read(DATA_CHECKS).select("name", F.isnan("found"), F.isnull("found"))
    assert {tuple(row) for row in found.collect()} == {("none", False, True), ("nan", True, False)}


def test_frames_are_taken_with_nan_for_what_is_missing(lakehouse: Lakehouse) -> None:
    frame = pd.DataFrame([check(NIGHT, "a", np.nan)], columns=DATA_CHECKS.column_names)
    lakehouse.replace_rows(frame, DATA_CHECKS, {"run_date": [NIGHT]})
    assert lakehouse.read(DATA_CHECKS).filter(F.col("found").isNull()).count() == 1


def test_reasons_are_kept_field_by_field(lakehouse: Lakehouse) -> None:
    reason = {"feature": "n_songs", "direction": "up", "contribution": 0.5, "value": None,
              "typical": 2.0, "level": None, "typical_level": None}  # fmt: skip
    spec = TableSpec(
        "ml",
        "reasons",
        "one row",
        (Column("number", "long", "its number"), Column("fields", "reasons", "reasons")),
    )
    rows = [(1, [reason]), (2, None), (3, [])]
    lakehouse.replace_rows(rows, spec, {"number": [1, 2, 3]})
    found = {row.number: row.fields for row in lakehouse.read(spec).collect()}
    assert [[one.asDict() for one in found[1]], found[2], found[3]] == [[reason], None, []]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([check(NIGHT, "a")[:-1]], r"found rows of \[5\] values, expected 6"),
        ([(NIGHT, 7, 0.0, "", True, "")], "name is no string"),
        ([(NIGHT, "a", "much", "", "yes", "")], "found is no double.*passed is no bool"),
        ([check(NEXT, "a")], "1 of 1 rows .* not of those they replace"),
        (pd.DataFrame({"run_date": [NIGHT], "n": [1]}), r"missing \['name', .* extra \['n'\]"),
    ],
)
def test_rows_that_do_not_fit_are_refused_whole(lakehouse: Lakehouse, rows: Any, said: str) -> None:
    with pytest.raises(SchemaError, match=said):
        lakehouse.replace_rows(rows, DATA_CHECKS, {"run_date": [NIGHT]})
    assert not lakehouse.exists(DATA_CHECKS)


def test_rows_are_chosen_by_values_and_ranges(lakehouse: Lakehouse) -> None:
    days = [date(2018, 11, day) for day in (5, 6, 7)]
    rows = [check(day, f"{day.day}{name}") for day in days for name in "ab"]
    lakehouse.replace_rows(rows, DATA_CHECKS, {"run_date": days})
    assert names(lakehouse, run_date=Between(days[1])) == ["6a", "6b", "7a", "7b"]
    assert names(lakehouse, run_date=Between(None, days[0])) == ["5a", "5b"]
    assert names(lakehouse, run_date=Between(days[1], days[1]), name=["6b", "7b"]) == ["6b"]
    assert names(lakehouse, run_date=[]) == []
    assert names(lakehouse, passed=[False]) == []
    assert list(lakehouse.read_rows(DATA_CHECKS, columns=["name", "run_date"]).columns) == [
        "name",
        "run_date",
    ]


def test_counts_and_nights_follow_what_was_written(lakehouse: Lakehouse) -> None:
    assert _facts(lakehouse) == (0, 0, [], True)
    lakehouse.create(DATA_CHECKS)
    assert _facts(lakehouse) == (0, 0, [], True)
    rows = [check(NEXT, "c"), check(NIGHT, "a"), check(NIGHT, "b")]
    lakehouse.replace_rows(rows, DATA_CHECKS, {"run_date": [NIGHT, NEXT]})
    assert lakehouse.count_rows(DATA_CHECKS) == 3
    assert lakehouse.count_rows(DATA_CHECKS, {"run_date": [NIGHT]}) == 2
    assert lakehouse.count_rows(DATA_CHECKS, {"run_date": Between(NEXT)}) == 1
    assert lakehouse.count_rows(DATA_CHECKS, {"name": ["a", "c"]}) == 2
    assert lakehouse.partition_values(DATA_CHECKS, "run_date") == [NIGHT, NEXT]
    lakehouse.replace_rows([], DATA_CHECKS, {"run_date": [NIGHT]})
    assert _facts(lakehouse) == (1, 0, [NEXT], False)


def _facts(lakehouse: Lakehouse) -> tuple[int, int, list[date], bool]:
    return (
        lakehouse.count_rows(DATA_CHECKS),
        lakehouse.count_rows(DATA_CHECKS, {"run_date": [NIGHT]}),
        lakehouse.partition_values(DATA_CHECKS, "run_date"),
        lakehouse.read_rows(DATA_CHECKS).empty,
    )


def test_rows_of_part_of_a_partition_are_replaced(lakehouse: Lakehouse) -> None:
    rows = [check(NIGHT, "a"), check(NIGHT, "b")]
    lakehouse.replace_rows(rows, DATA_CHECKS, {"run_date": [NIGHT]})
    where = {"run_date": [NIGHT], "name": ["a"]}
    lakehouse.replace_rows([check(NIGHT, "a", 2.0)], DATA_CHECKS, where)
    found = lakehouse.read_rows(DATA_CHECKS).sort_values("name")
    assert list(zip(found["name"], found["found"], strict=True)) == [("a", 2.0), ("b", 0.0)]


def test_column_declared_later_is_null_before_and_added_by_a_write(lakehouse: Lakehouse) -> None:
    older = dataclasses.replace(DATA_CHECKS, columns=DATA_CHECKS.columns[:-1])
    lakehouse.replace_rows([check(NIGHT, "a")[:-1]], older, {"run_date": [NIGHT]})
    assert list(lakehouse.read_rows(DATA_CHECKS)["sentence"]) == [None]
    assert lakehouse.read_rows(DATA_CHECKS, {"sentence": ["b is fine"]}).empty
    lakehouse.replace_rows([check(NEXT, "b")], DATA_CHECKS, {"run_date": [NEXT]})
    found = lakehouse.read_rows(DATA_CHECKS).sort_values("name")
    assert list(found["sentence"]) == [None, "b is fine"]
    assert lakehouse.read(DATA_CHECKS).schema == struct_of(DATA_CHECKS)


def test_meaning_worded_anew_and_other_column_order_do_no_harm(lakehouse: Lakehouse) -> None:
    columns = tuple(
        dataclasses.replace(column, meaning="in other words")
        for column in reversed(DATA_CHECKS.columns)
    )
    other = dataclasses.replace(DATA_CHECKS, columns=columns)
    lakehouse.replace_rows([check(NIGHT, "a")[::-1]], other, {"run_date": [NIGHT]})
    lakehouse.replace_rows([check(NEXT, "b")], DATA_CHECKS, {"run_date": [NEXT]})
    found = lakehouse.read_rows(DATA_CHECKS).sort_values("name")
    assert list(found["sentence"]) == ["a is fine", "b is fine"]


def test_spark_and_deltalake_see_each_others_commits(context: JobContext) -> None:
    lakehouse, struct = context.lakehouse, struct_of(DATA_CHECKS)
    for day in (5, 6, 7):
        night = date(2018, 11, day)
        lakehouse.replace_rows([check(night, f"native {day}")], DATA_CHECKS, {"run_date": [night]})
        assert lakehouse.read(DATA_CHECKS).filter(F.col("run_date") == night).count() == 1
        frame = context.spark.createDataFrame([check(night, f"spark {day}")], struct)
        lakehouse.replace(frame, DATA_CHECKS, {"run_date": [night]})
        assert names(lakehouse, run_date=[night]) == [f"spark {day}"]
        assert lakehouse.count_rows(DATA_CHECKS) == day - 4
    assert lakehouse.version(DATA_CHECKS) == 5


def test_deltalake_writes_no_checkpoint_and_reads_those_of_spark(context: JobContext) -> None:
    lakehouse, struct = context.lakehouse, struct_of(DATA_CHECKS)
    log = Path(lakehouse.path(DATA_CHECKS)) / "_delta_log"
    for commit in range(12):
        row = [check(NIGHT, f"n{commit}")]
        lakehouse.replace_rows(row, DATA_CHECKS, {"run_date": [NIGHT]})
    assert not list(log.glob("*checkpoint*"))
    for commit in range(12, 21):
        frame = context.spark.createDataFrame([check(NEXT, f"s{commit}")], struct)
        lakehouse.replace(frame, DATA_CHECKS, {"run_date": [NEXT]})
    assert list(log.glob("*20.checkpoint.parquet"))
    for old in log.glob("*.json"):
        if int(old.stem) < 20:
            old.unlink()
    assert names(lakehouse) == ["n11", "s20"]


def test_native_rows_take_no_spark_job(context: JobContext) -> None:
    lakehouse = context.lakehouse
    with counted_jobs(context.spark) as n_jobs:
        lakehouse.create(LABELS)
        lakehouse.replace_rows([check(NIGHT, "a")], DATA_CHECKS, {"run_date": [NIGHT]})
        lakehouse.replace_rows([check(NIGHT, "b")], DATA_CHECKS, {"run_date": [NIGHT]})
        assert lakehouse.exists(DATA_CHECKS)
        assert names(lakehouse) == ["b"]
        assert [row.name for row in lakehouse.collect_rows(DATA_CHECKS)] == ["b"]
        assert lakehouse.count_rows(DATA_CHECKS, {"run_date": [NIGHT]}) == 1
    assert n_jobs == [0]
    with counted_jobs(context.spark) as n_jobs:
        lakehouse.read(DATA_CHECKS).collect()
    assert n_jobs[0] > 0


def test_spark_shortens_the_log_of_a_table_that_it_never_writes(context: JobContext) -> None:
    lakehouse = context.lakehouse
    log = Path(lakehouse.path(DATA_CHECKS)) / "_delta_log"
    for commit in range(101):
        row = [check(NIGHT, f"n{commit}")]
        lakehouse.replace_rows(row, DATA_CHECKS, {"run_date": [NIGHT]})
    points = sorted(int(one.name.partition(".")[0]) for one in log.glob("*.checkpoint.parquet"))
    assert len(points) == 2
    assert points[1] - points[0] == 50
    for old in log.glob("*.json"):
        if int(old.stem) <= points[1]:
            old.unlink()
    assert names(lakehouse) == ["n100"]
    assert [row["name"] for row in lakehouse.read(DATA_CHECKS).collect()] == ["n100"]


def test_every_table_has_the_same_types_in_arrow_and_in_spark() -> None:
    # Spark 4 asks for the zone that Spark 3 takes for granted.
    zone = {"timezone": "UTC"} if "timezone" in signature(to_arrow_schema).parameters else {}
    for spec in TABLES:
        assert to_arrow_schema(struct_of(spec), **zone).equals(arrow_schema(spec)), spec.name


@pytest.mark.parametrize(
    ("qualified", "root"),
    [
        ("file:/tmp/a lake", "/tmp/a lake"),
        ("file:///tmp/lake", "/tmp/lake"),
        ("s3a://bucket/lake", "s3a://bucket/lake"),
        ("abfss://box@account.dfs.core.windows.net/lake",) * 2,
        ("hdfs://127.0.0.1:1/lake", None),
        ("ofs://name/lake", None),
        ("file:/tmp/a%20lake", None),
        ("file:/tmp/lake [1]", None),
        ("file:/tmp/100 % lake", "/tmp/100 % lake"),
    ],
)
def test_root_is_native_where_deltalake_reaches_it(qualified: str, root: str | None) -> None:
    assert native_root(qualified) == root


def test_path_without_scheme_follows_hadoops_default(context: JobContext) -> None:
    lakehouse = Lakehouse(context.spark, "some folder/lake")
    assert lakehouse.uri(LABELS) == str(Path.cwd() / "some folder/lake/gold/labels")
