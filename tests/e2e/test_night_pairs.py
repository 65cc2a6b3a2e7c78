"""Two nights that are started at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.night_pairs import try_pairs


@pytest.mark.slow
def test_two_nights_at_once_leave_what_they_leave_one_after_the_other(tmp_path: Path) -> None:
    said: list[str] = []
    assert try_pairs(tmp_path, 3, 1, said.append, killed_every=3) == [], said
    assert len(said) == 3
