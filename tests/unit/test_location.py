"""Whether tables can be made at a place, told before anything is begun."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from local_lakehouse import open_local

from churn_spark.contracts.tables import EVENTS, SCORES
from churn_spark.errors import MachineError
from churn_spark.lakehouse.location import require_writable
from churn_spark.pipeline.use_case import UseCase


def test_folder_that_is_there_or_can_be_made_will_do(tmp_path: Path) -> None:
    require_writable(str(tmp_path))
    require_writable(str(tmp_path / "new" / "lake"))
    require_writable("s3://bucket/lake")


def test_place_that_cant_hold_tables_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(MachineError, match=r"found .*/file, which is no folder, .*LAKEHOUSE"):
        require_writable(str(tmp_path / "file" / "lake"))
    (tmp_path / "gone").symlink_to("nowhere/at/all")
    with pytest.raises(MachineError, match=r"found .*/gone, which is no folder"):
        require_writable(str(tmp_path / "gone" / "lake"))
    # As on storage that is read-only, for root too.
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(MachineError, match=r"not to be written to by this user"):
        require_writable(str(tmp_path / "lake"))
    assert MachineError.exit_code == 2


def test_steps_that_write_ask_before_they_start_and_others_dont(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    lakehouse = open_local(tmp_path)
    UseCase("reader", "", reads_if_there=(EVENTS,)).check_inputs(lakehouse)
    with pytest.raises(MachineError):
        UseCase("writer", "", writes=(SCORES,)).check_inputs(lakehouse)
