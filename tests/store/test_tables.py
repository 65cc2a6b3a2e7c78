"""The lakehouse on real Delta tables."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from chispa import assert_df_equality
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from churn_spark.contracts.tables import LABELS, QUARANTINE
from churn_spark.errors import MissingTableError, SchemaError
from churn_spark.lakehouse.commits import Once
from churn_spark.lakehouse.schema import conform, struct_of
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.pipeline.context import JobContext


def labels(context: JobContext, *rows: tuple[str, str, int]) -> DataFrame:
    return context.spark.createDataFrame(
        [(date.fromisoformat(day), user, 14, 1, label, True, False) for day, user, label in rows],
        struct_of(LABELS),
    )


def test_replace_touches_only_the_dates_named(context: JobContext) -> None:
    days = {"as_of": [date(2018, 11, 5), date(2018, 11, 12)]}
    context.lakehouse.replace(
        labels(context, ("2018-11-05", "a", 0), ("2018-11-12", "a", 1)), LABELS, days
    )
    context.lakehouse.replace(
        labels(context, ("2018-11-12", "b", 0)), LABELS, {"as_of": [date(2018, 11, 12)]}
    )
    expected = labels(context, ("2018-11-05", "a", 0), ("2018-11-12", "b", 0))
    assert_df_equality(context.lakehouse.read(LABELS), expected, ignore_row_order=True)


@pytest.mark.parametrize("name", ["lake [1]", "{prod}"])
def test_lakehouse_is_found_whatever_its_name(
    name: str, context: JobContext, tmp_path: Path
) -> None:
    lakehouse = Lakehouse(context.spark, str(tmp_path / name))
    assert not lakehouse.exists(LABELS)
    lakehouse.replace(labels(context, ("2018-11-05", "a", 0)), LABELS, {})
    assert lakehouse.version(LABELS) == 1
    assert [row.user_id for row in lakehouse.collect_rows(LABELS)] == ["a"]


def test_replace_is_done_once_under_its_name_and_not_without_dates(
    context: JobContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    day = {"as_of": [date(2018, 11, 5)]}
    rows = labels(context, ("2018-11-05", "a", 0))
    context.lakehouse.replace(rows, LABELS, day, once=Once("built", 3))
    version = context.lakehouse.version(LABELS)
    context.lakehouse.replace(rows, LABELS, {"as_of": []})
    assert context.lakehouse.version(LABELS) == version
    context.lakehouse.replace(rows, LABELS, day, once=Once("built", 3))
    assert context.lakehouse.version(LABELS) == version
    assert context.lakehouse.last_number(LABELS, "built") == 3
    monkeypatch.setattr(Lakehouse, "is_native", False)
    assert context.lakehouse.last_number(LABELS, "built") == 3
    assert context.lakehouse.last_number(LABELS, "another") == -1
    assert context.lakehouse.last_number(QUARANTINE, "built") == -1


def test_table_without_a_later_column_is_read_and_written_on(context: JobContext) -> None:
    older = replace(LABELS, columns=LABELS.columns[:-1])
    frame = labels(context, ("2018-11-05", "a", 0)).drop("is_gap_cancel")
    context.lakehouse.replace(frame, older, {"as_of": [date(2018, 11, 5)]})
    assert [row.is_gap_cancel for row in context.lakehouse.read(LABELS).collect()] == [None]
    context.lakehouse.replace(
        labels(context, ("2018-11-12", "b", 1)), LABELS, {"as_of": [date(2018, 11, 12)]}
    )
    rows = context.lakehouse.read(LABELS).orderBy("user_id").collect()
    assert [(row.user_id, row.is_gap_cancel) for row in rows] == [("a", None), ("b", False)]


def test_append_adds_a_later_column(context: JobContext) -> None:
    rejected = context.spark.createDataFrame(
        [(date(2018, 12, 2), "a.json", 0, 1, None, "broken JSON", "", 0)], struct_of(QUARANTINE)
    )
    older = replace(QUARANTINE, columns=QUARANTINE.columns[:-1])
    context.lakehouse.append(rejected.drop("ingest_batch"), older, Once("w", 0))
    context.lakehouse.append(rejected, QUARANTINE, Once("w", 1))
    rows = context.lakehouse.read(QUARANTINE).collect()
    assert {row.ingest_batch for row in rows} == {None, 0}


def test_append_writes_once_when_repeated_with_the_same_batch(context: JobContext) -> None:
    rejected = context.spark.createDataFrame(
        [(date(2018, 12, 2), "a.json", 0, 1, None, "broken JSON", "", 0)], struct_of(QUARANTINE)
    )
    context.lakehouse.create(QUARANTINE)
    assert context.lakehouse.append(rejected, QUARANTINE, Once("w", 0))
    assert not context.lakehouse.append(rejected, QUARANTINE, Once("w", 0))
    assert context.lakehouse.append(rejected, QUARANTINE, Once("another", 0))
    assert context.lakehouse.read(QUARANTINE).count() == 2


def test_read_says_what_to_do_when_the_table_is_missing(context: JobContext) -> None:
    with pytest.raises(MissingTableError, match=r"no table gold/labels in .* run the jobs"):
        context.lakehouse.read(LABELS)


def test_conform_lists_every_difference_at_once(context: JobContext) -> None:
    frame = context.spark.createDataFrame([(1, "x")], "reason long, extra string")
    frame = frame.select("*", *(F.lit(None).alias(n) for n in QUARANTINE.column_names[:5]))
    with pytest.raises(SchemaError) as raised:
        conform(frame, QUARANTINE)
    assert "missing ['contents', 'ingest_batch']" in str(raised.value)
    assert "extra ['extra']" in str(raised.value)
    assert "reason is bigint instead of string" in str(raised.value)


def test_lakehouse_may_be_named_from_the_working_folder(
    context: JobContext, tmp_path: Path
) -> None:
    relative = Lakehouse(context.spark, os.path.relpath(tmp_path / "other"))
    relative.create(LABELS)
    assert relative.read(LABELS).isEmpty()
    assert Lakehouse(context.spark, str(tmp_path / "other")).exists(LABELS)
