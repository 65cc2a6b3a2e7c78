"""Rows are begun to be written only where the disk has room for them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import polars as pl
import pytest

from churn_spark.contracts.tables import BUILT_DATES, LOG_DATES
from churn_spark.lakehouse import native_rows
from churn_spark.lakehouse.arrow_schema import arrow_schema
from churn_spark.lakehouse.data_files import write_data_files
from churn_spark.lakehouse.polars_schema import polars_schema_of
from churn_spark.lakehouse.room import require_room
from churn_spark.troubles import exit_code_of

ROWS, FOOTER = 10_000_000, 2**20


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The bytes that the disk has left; those of the last one count."""
    left = [0]
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=left[-1]))
    return left


def test_disk_needs_room_for_the_rows_and_a_footer(free: list[int], tmp_path: Path) -> None:
    place = str(tmp_path / "not" / "there" / "yet")
    free.append(ROWS + FOOTER)
    require_room(place, ROWS)
    free.append(ROWS + FOOTER - 1)
    with pytest.raises(OSError, match=r"No space left on device: '.*/not/there/yet'") as full:
        require_room(place, ROWS)
    assert exit_code_of(full.value) == 2


def test_other_stores_are_not_asked(free: list[int]) -> None:
    require_room("s3://lake/table", ROWS)
    require_room("hdfs://name/table", ROWS)


def _write_small(place: str) -> None:
    native_rows.replace(place, {}, arrow_schema(LOG_DATES).empty_table(), LOG_DATES, {})


def _write_large(place: str) -> None:
    schema = polars_schema_of(BUILT_DATES)
    row = pl.DataFrame({name: [None] for name in schema}, schema)
    write_data_files(row, BUILT_DATES, place, {})


@pytest.mark.parametrize("write", [_write_small, _write_large])
def test_nothing_is_begun_on_a_full_disk(
    write: Callable[[str], None], free: list[int], tmp_path: Path
) -> None:
    with pytest.raises(OSError, match="No space left on device"):
        write(str(tmp_path / "table"))
    assert not [*tmp_path.iterdir()]
