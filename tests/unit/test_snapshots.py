"""A frozen text that has changed fails with the difference, and is written anew when asked."""

from __future__ import annotations

from pathlib import Path

import pytest
import snapshots
from snapshots import assert_snapshot


def test_changed_text_fails_until_it_is_written_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshots, "FOLDER", tmp_path / "frozen")
    monkeypatch.delenv("UPDATE_SNAPSHOTS", raising=False)
    with pytest.raises(AssertionError, match="UPDATE_SNAPSHOTS=1"):
        assert_snapshot("a.txt", "one\n")
    with monkeypatch.context() as changed:
        changed.setenv("UPDATE_SNAPSHOTS", "1")
        assert_snapshot("a.txt", "one\n")
    assert_snapshot("a.txt", "one\n")
    with pytest.raises(AssertionError, match=r"-one\n\+two"):
        assert_snapshot("a.txt", "two\n")
