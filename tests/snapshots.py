"""Frozen texts, so that nothing changes unseen; UPDATE_SNAPSHOTS=1 writes them anew."""

from __future__ import annotations

import difflib
import os
from pathlib import Path

FOLDER = Path(__file__).parent / "frozen"


def assert_snapshot(name: str, text: str) -> None:
    """Check that the text is that of `tests/frozen/<name>`; the failure shows the difference."""
    file = FOLDER / name
    if os.environ.get("UPDATE_SNAPSHOTS") == "1":
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return
    frozen = file.read_text(encoding="utf-8") if file.exists() else ""
    lines = difflib.unified_diff(
        frozen.splitlines(), text.splitlines(), f"frozen/{name}", "now", lineterm=""
    )
    assert text == frozen, "\n".join(
        [*lines, "If this is meant: UPDATE_SNAPSHOTS=1 python -m pytest, and commit the change."]
    )
