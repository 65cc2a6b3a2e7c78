"""Erasure on real tables: where Python reaches the storage, and where only Spark does."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from builders import record, write_lines
from erasure_builders import GONE, MADE, OTHERS, Place, write_log

from churn_spark.contracts.tables import (
    EVENTS,
    SCORES,
    SESSION_DAYS,
    TABLES,
    VALIDATION_SCORES,
    TableSpec,
)
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.pipeline.context import JobContext


def one_of_each_kind() -> list[TableSpec]:
    """Of the tables that are partitioned alike one."""
    with_users = [spec for spec in TABLES if "user_id" in spec.column_names]
    # The last of a kind is taken: scores are read below, validation scores concern the registry.
    kinds = {spec.partition_by: spec for spec in [*with_users, SCORES, VALIDATION_SCORES]}
    return [*kinds.values()]


@pytest.mark.parametrize("reader", ["native", pytest.param("spark", marks=pytest.mark.slow)])
def test_erased_user_is_in_no_byte_and_nights_go_on(
    reader: str, context: JobContext, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # Relative, as the root is by default.
    lakehouse = Lakehouse(context.lakehouse.spark, os.path.relpath(context.lakehouse.root))
    place = Place(lakehouse, write_log(tmp_path / "logs"))
    reach: dict[str, Any] = lakehouse.__dict__
    only_spark = {"native_root": None} if reader == "spark" else {}
    reach.update(only_spark)
    place.load()
    # Spark would take minutes to write what it is to erase from.
    reach.pop("native_root", None)
    place.fill_others(one_of_each_kind())
    reach.update(only_spark)
    assert place.left()
    place.erase(GONE)
    assert place.left() == {}
    for spec in (EVENTS, SESSION_DAYS, SCORES):
        assert {row.user_id for row in lakehouse.read(spec).collect()} == {*OTHERS}
    # Tables know what they were built from: nothing is built anew.
    capsys.readouterr()
    assert place.load().describe() == "no new file"
    assert capsys.readouterr().out.count(" 0 dates rebuilt") == len(MADE)
    # One user more, and the one who is gone: in a file that comes late, and in all that are read
    # once more.
    late = [record(userId=GONE), record(userId="new")]
    write_lines(tmp_path / "logs" / "9.json", late)
    assert place.load(reload="all").lines["erased"] > 1
    assert {row.user_id for row in lakehouse.read(EVENTS).collect()} == {*OTHERS, "new"}
    assert place.left() == {}
