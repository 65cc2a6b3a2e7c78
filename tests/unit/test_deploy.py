"""The files for cron and systemd: well-formed, and what they start is there."""

from __future__ import annotations

import re
import shutil
import subprocess
from configparser import ConfigParser
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"


def read_unit(name: str) -> ConfigParser:
    unit = ConfigParser(interpolation=None, strict=True, comment_prefixes=("#",))
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read_string((DEPLOY / name).read_text(encoding="utf-8"))
    return unit


def test_service_runs_a_night_that_is_in_the_checkout() -> None:
    service = read_unit("churn-spark.service")["Service"]
    # systemd's own marks, $$ and %%, as it reads them.
    command = service["ExecStart"].replace("$$", "$").replace("%%", "%")
    shell, inner = re.fullmatch(r"(/bin/sh) -c '(.*)'", command).groups()  # type: ignore[union-attr]
    subprocess.run([shell, "-n", "-c", inner], check=True)
    assert inner.startswith("exec ./spark-submit.sh nightly ")
    assert (ROOT / "spark-submit.sh").is_file()
    assert service["Type"] == "oneshot"
    assert service["SuccessExitStatus"].split() == ["10", "20"]


def test_timer_is_of_the_service_and_makes_up_for_what_was_missed() -> None:
    timer = read_unit("churn-spark.timer")
    assert re.fullmatch(r"\*-\*-\* \d\d:\d\d:\d\d UTC", timer["Timer"]["OnCalendar"])
    assert timer["Timer"]["Persistent"] == "true"
    assert timer["Install"]["WantedBy"] == "timers.target"
    assert (DEPLOY / "churn-spark.timer").stem == (DEPLOY / "churn-spark.service").stem


def test_systemd_takes_both() -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("found no systemd-analyze on the path")
    for name in ("churn-spark.service", "churn-spark.timer"):
        command = [analyze, "verify", "--man=no", str(DEPLOY / name)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert "Unknown" not in done.stderr
        assert "Failed to parse" not in done.stderr


def test_cron_line_has_a_time_a_user_and_a_command_of_the_shell() -> None:
    lines = (DEPLOY / "churn-spark.cron").read_text(encoding="utf-8").splitlines()
    (line,) = [one for one in lines if one and not one.startswith("#") and "=" not in one[:12]]
    found = re.fullmatch(r"(\d+) (\d+) \* \* \*  (\w+)  (.+)", line)
    assert found
    assert int(found[1]) < 60
    assert int(found[2]) < 24
    # To cron a bare % is the end of the line.
    assert not re.search(r"(?<!\\)%", line)
    subprocess.run(["/bin/sh", "-n", "-c", found[4].replace(r"\%", "%")], check=True)
