"""Where a caller's file can be written, told before anything is begun."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from local_lakehouse import open_local

from churn_spark.errors import InputError
from churn_spark.pipeline import extract_rejected
from churn_spark.pipeline.named_files import require_file_place, require_new_file


def test_file_that_is_there_or_can_be_made_will_do(tmp_path: Path) -> None:
    there = tmp_path / "there.txt"
    there.touch()
    require_file_place(there)
    require_new_file(tmp_path / "new.txt")
    with pytest.raises(InputError, match=r"found .*there\.txt, .*that isn't there yet"):
        require_new_file(there)
    assert [*tmp_path.iterdir()] == [there]


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("none/out.json", r"no folder .*/none that this user may enter"),
        ("file/out.json", r"no folder .*/file that"),
        ("link/out.json", r"no folder .*/nowhere that"),
        ("folder", r".*/folder, which is a folder"),
    ],
)
def test_place_that_takes_no_file_is_named(name: str, found: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("nowhere")
    with pytest.raises(InputError, match=f"found {found}.*: name another one"):
        require_file_place(tmp_path / name)


@pytest.mark.parametrize("refused", [os.X_OK, os.W_OK])
def test_place_that_is_not_the_users_is_named(
    refused: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As to any user but root.
    monkeypatch.setattr(os, "access", lambda _, mode: mode != refused)
    with pytest.raises(InputError, match=r"this user may (enter|not write)"):
        require_file_place(tmp_path / "out.json")


def test_rejected_lines_are_not_looked_for_when_they_can_be_written_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(*_: Any) -> None:
        pytest.fail("it began")

    monkeypatch.setattr(extract_rejected.UseCase, "start", start)
    with pytest.raises(InputError, match="found no folder"):
        extract_rejected.run(open_local(tmp_path), tmp_path / "none" / "out", None, 1, 9)
