"""Commands that a bench watches."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.many_nights import TINY
from bench.processes import run_watched
from churn_spark.config import load_config

SAYS_MUCH = """\
import sys
for n in range(20_000):
    print(n, "of many lines", file=sys.{})
print("end")
"""


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_command_that_says_much_comes_to_its_end(
    stream: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "says_much.py").write_text(SAYS_MUCH.format(stream))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    done = run_watched("says_much")
    assert done.last_line == "end"
    assert done.seconds < 60


def test_settings_of_tiny_nights_are_ones_that_there_can_be() -> None:
    assert load_config(overrides=list(TINY)).policy.min_rows == 10
