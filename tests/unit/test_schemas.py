"""The tables' declarations, and what `conform` says of rows that don't fit (it needs no JVM)."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from pyspark.sql import types as T

from churn_spark.contracts.features.segments import SEGMENTS
from churn_spark.contracts.features.spec import FEATURES, PAGE_COUNTS, SNAPSHOT_FEATURES
from churn_spark.contracts.tables import (
    DRIFT,
    EVENTS,
    LABELS,
    QUARANTINE,
    SCORES,
    SESSION_DAYS,
    SNAPSHOTS,
    TABLES,
    TRAINING_ROWS,
    Column,
    TableSpec,
)
from churn_spark.errors import SchemaError
from churn_spark.lakehouse.schema import conform, struct_of

each_table = pytest.mark.parametrize("spec", TABLES, ids=lambda spec: spec.name)


def refusal(schema: T.StructType, spec: TableSpec) -> str:
    frame: Any = SimpleNamespace(schema=schema)
    with pytest.raises(SchemaError) as caught:
        conform(frame, spec)
    return str(caught.value)


def test_tables_have_a_folder_each() -> None:
    folders = [(spec.layer, spec.name) for spec in TABLES]
    assert len(set(folders)) == len(folders)
    assert {layer for layer, _ in folders} <= {"bronze", "silver", "gold", "ml", "monitoring"}


@each_table
def test_columns_have_different_names(spec: TableSpec) -> None:
    # Delta takes names that differ in case only for the same.
    lower = [name.lower() for name in spec.column_names]
    assert len(set(lower)) == len(lower)


@each_table
def test_every_column_has_a_type_and_is_nullable(spec: TableSpec) -> None:
    assert struct_of(spec).fieldNames() == spec.column_names
    assert all(field.nullable for field in struct_of(spec).fields)


@each_table
def test_partition_and_skipping_columns_exist(spec: TableSpec) -> None:
    assert {*spec.partition_by, *spec.skipping_columns} <= set(spec.column_names)


@each_table
def test_grain_is_written_down(spec: TableSpec) -> None:
    assert spec.grain


def test_meaning_becomes_the_comment_of_the_column() -> None:
    assert struct_of(EVENTS)["level"].metadata == {"comment": "free or paid"}


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (
            EVENTS,
            "user_id string, session_id bigint, event_date date, event_ts timestamp, "
            "page string, level string",
        ),
        (QUARANTINE, "reason string, source_file string, byte_offset bigint"),
        (SNAPSHOTS, "as_of date, user_id string"),
        (LABELS, "as_of date, horizon_days int, gap_days int, label int"),
        (
            SCORES,
            "as_of date, user_id string, churn_probability double, model_version string, "
            "risk_rank int, reasons array<string>",
        ),
        (
            DRIFT,
            "run_date date, comparison string, feature string, ks_statistic double, "
            "p_value double, is_breached boolean",
        ),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_columns_that_other_programs_rely_on_are_there(spec: TableSpec, expected: str) -> None:
    found = {f"{field.name} {field.dataType.simpleString()}" for field in struct_of(spec).fields}
    assert set(expected.split(", ")) - found == set()


def test_personal_names_are_in_no_table() -> None:
    names = {name.lower().replace("_", "") for spec in TABLES for name in spec.column_names}
    assert names & {"firstname", "lastname", "useragent"} == set()


def test_session_days_count_every_page_of_the_declaration() -> None:
    assert set(PAGE_COUNTS) <= set(SESSION_DAYS.column_names)


def test_snapshots_and_training_rows_end_with_the_features_in_order() -> None:
    names = [feature.name for feature in FEATURES]
    known = [feature.name for feature in SNAPSHOT_FEATURES]
    assert SNAPSHOTS.column_names == ["as_of", "user_id", *known]
    segments = [f"segment_{name}" for name in SEGMENTS]
    keys = ["as_of", "user_id", "label", "split"]
    assert TRAINING_ROWS.column_names == [*keys, *segments, *names]


def test_snapshot_has_the_feature_types() -> None:
    declared = {column.name: column.data_type for column in SNAPSHOTS.columns}
    assert [declared[f.name] for f in SNAPSHOT_FEATURES] == [f.data_type for f in SNAPSHOT_FEATURES]


def test_training_rows_hold_numbers_only_when_encoded() -> None:
    encoded = [struct_of(TRAINING_ROWS)[feature.name].dataType for feature in FEATURES]
    assert set(encoded) == {T.DoubleType()}


def test_conform_lists_all_differences_when_rows_do_not_fit() -> None:
    spec = TableSpec(
        "gold", "things", "one", tuple(Column(name, "long", "") for name in ("a", "b", "c"))
    )
    schema = T.StructType().add("b", "string").add("c", "long").add("d", "integer")
    assert refusal(schema, spec) == (
        "rows for gold/things don't fit its schema: missing ['a'], extra ['d'], "
        "wrong type ['b is string instead of bigint']"
    )


@pytest.mark.parametrize("name", ["user_id", "label"])
def test_conform_refuses_when_one_column_is_missing(name: str) -> None:
    others = T.StructType([field for field in struct_of(LABELS).fields if field.name != name])
    assert f"missing ['{name}'], extra [], wrong type []" in refusal(others, LABELS)


def test_conform_refuses_when_the_integer_is_too_wide() -> None:
    wide = T.StructType(
        [
            T.StructField("label", T.LongType()) if field.name == "label" else field
            for field in struct_of(LABELS).fields
        ]
    )
    assert "wrong type ['label is bigint instead of int']" in refusal(wide, LABELS)
