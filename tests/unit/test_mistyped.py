"""A mistyped target of make and a mistyped job are told the one that was probably meant."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit
ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (["make", "tets"], "found no target tets, expected one of those that make help lists "
         "(did you mean make test?)"),
        (["make", "bench-modle"], "(did you mean make bench-model?)"),
        (["make", "xyzzy"], "found no target xyzzy, expected one of those that make help lists\n"),
        (["./spark-submit.sh", "nigthly"], "(did you mean nightly?)"),
        (["./spark-submit.sh", "xyzzy"], "tune_model\n"),
    ],
)  # fmt: skip
def test_a_mistyped_name_is_told_its_neighbour(command: list[str], told: str) -> None:
    # What an outer make has set would change what an inner one says.
    given = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    done = subprocess.run(command, cwd=ROOT, env=given, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert told in done.stderr
    assert done.stderr.startswith("error: found ")
