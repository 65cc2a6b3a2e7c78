"""What Java must know of who runs it: a locale that reads all names, a user with a name."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from churn_spark.errors import MachineError
from churn_spark.pipeline.context import open_job
from churn_spark.runtime.user import require_named_user

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    "setting", ["LANG=", "LC_ALL=C", "LANG=xx_XX.UTF-8", "LC_ALL=C.UTF-8", "LC_CTYPE=en_US"]
)
def test_java_gets_a_locale_that_reads_all_names_whatever_cron_sets(setting: str) -> None:
    name, _, value = setting.partition("=")
    code = "from churn_spark.runtime.user import *; print(locale_environment())"
    told = subprocess.run(
        [sys.executable, "-c", code],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), name: value},
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.strip() == "{'LC_ALL': 'C.UTF-8'}"


def test_user_without_a_name_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    require_named_user()
    monkeypatch.setattr(os, "getuid", lambda: 4_000_000_123)
    with pytest.raises(MachineError, match=r"user id 4000000123 has no name .* /etc/passwd"):
        require_named_user()
    assert MachineError.exit_code == 2
    # A library that looks for the user's home is not imported before.
    with pytest.raises(MachineError), open_job("test", "local", None):
        pytest.fail("the job went on")
