"""The cron line of the docs, run as cron would."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.known_logs import KnownLog

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
NIGHT = "2018-12-01"


def cron_command() -> str:
    """The command of the one cron line of docs/jobs.md, as cron hands it to the shell."""
    lines = re.findall(
        r"^(?:[\d*/,-]+ +){5}(.+)$", (ROOT / "docs/jobs.md").read_text(), re.MULTILINE
    )
    assert len(lines) == 1
    # In a crontab a bare % ends the command, so the line must escape each.
    assert not re.search(r"(?<!\\)%", lines[0])
    return str(lines[0]).replace(r"\%", "%").strip()


def test_cron_line_of_the_docs_does_a_night(tmp_path: Path, mini_log: KnownLog) -> None:
    home, tools = (tmp_path / name for name in ("home", "bin"))
    for folder in (home, tools):
        folder.mkdir()
    (home / "churn_spark").symlink_to(ROOT)
    # The log is of another year: the night is the day after its newest event.
    date = tools / "date"
    date.write_text(f'#!/bin/sh\n[ "$*" = "-u +%F" ] && echo {NIGHT}\n')
    date.chmod(0o755)
    command = cron_command()
    assert "/logs" in command
    said = home / "nightly.log"
    command = command.replace(" /logs ", f" {mini_log.path} ").replace(
        ">> nightly.log", f">> {said}"
    )
    environment = {
        "HOME": str(home),
        "PATH": f"{tools}:{os.environ['PATH']}",
        "LAKEHOUSE": str(tmp_path / "lakehouse"),
        **{name: value for name, value in os.environ.items() if name in ("VENV", "JAVA_HOME")},
    }
    run = subprocess.run(
        ["/bin/sh", "-c", command], cwd=home, env=environment, timeout=600, check=False
    )
    text = said.read_text()
    assert run.returncode == 0, text
    assert re.search(r"^check_data +\d+ of \d+ checks passed", text, re.MULTILINE), text
    # A hundred and some users are too few to judge drift, and the policy says so.
    decided = r"^retrain_if_needed +keep the model: .* drift is not judged"
    assert re.search(decided, text, re.MULTILINE), text
    assert (tmp_path / "lakehouse" / "reports" / "monitoring.html").exists()
