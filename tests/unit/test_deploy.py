"""The files for cron and systemd: well-formed, and what they start is there."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from configparser import ConfigParser
from datetime import date
from importlib import import_module
from pathlib import Path

import pytest

from churn_spark.config import load_config
from churn_spark.contracts.tables import SCORES
from churn_spark.errors import MissingTableError
from churn_spark.lakehouse.user_rows import read_as_of
from churn_spark.pipeline import retention_list
from tests.local_lakehouse import open_local

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


def require_late_check(command: str) -> None:
    """The command is the job, with an hour that it takes."""
    python, _, module, set_option, override = shlex.split(command)[-5:]
    assert python.endswith(".venv/bin/python")
    assert import_module(module).app
    assert (module, set_option) == ("jobs.check_freshness", "--set")
    assert load_config(overrides=[override]).schedule.expected_by == "06:00"


def test_freshness_service_looks_at_the_same_lakehouse_and_fails_when_a_night_is_late() -> None:
    looking, nightly = (read_unit(f"churn-spark{n}.service")["Service"] for n in ("-freshness", ""))
    require_late_check(looking["ExecStart"])
    for name in ("User", "WorkingDirectory", "Environment", "EnvironmentFile"):
        assert looking[name] == nightly[name]
    assert "SuccessExitStatus" not in looking


def test_freshness_timer_looks_several_times_an_hour() -> None:
    timer = read_unit("churn-spark-freshness.timer")
    assert re.fullmatch(r"\*-\*-\* \*:00/15:00 UTC", timer["Timer"]["OnCalendar"])
    assert timer["Install"]["WantedBy"] == "timers.target"


def test_timer_is_of_the_service_and_makes_up_for_what_was_missed() -> None:
    timer = read_unit("churn-spark.timer")
    assert re.fullmatch(r"\*-\*-\* \d\d:\d\d:\d\d UTC", timer["Timer"]["OnCalendar"])
    assert timer["Timer"]["Persistent"] == "true"
    assert timer["Install"]["WantedBy"] == "timers.target"
    assert (DEPLOY / "churn-spark.timer").stem == (DEPLOY / "churn-spark.service").stem


def test_systemd_takes_all_of_them() -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("found no systemd-analyze on the path")
    for name in (one.name for one in DEPLOY.glob("churn-spark*.[st]*")):
        command = [analyze, "verify", "--man=no", str(DEPLOY / name)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert "Unknown" not in done.stderr
        assert "Failed to parse" not in done.stderr


def test_cron_lines_have_a_time_a_user_and_a_command_of_the_shell() -> None:
    lines = (DEPLOY / "churn-spark.cron").read_text(encoding="utf-8").splitlines()
    jobs = [one for one in lines if one and not one.startswith("#") and "=" not in one[:12]]
    commands = []
    for line in jobs:
        found = re.fullmatch(r"(\d+|\*/\d+) (\d+|\*) \* \* \*  (\w+)  (.+)", line)
        assert found
        assert int(found[1].removeprefix("*/")) < 60
        # To cron a bare % is the end of the line.
        assert not re.search(r"(?<!\\)%", line)
        subprocess.run(["/bin/sh", "-n", "-c", found[4].replace(r"\%", "%")], check=True)
        commands.append(found[4])
    night, look = commands
    assert " nightly " in night
    require_late_check(look.partition(" >> ")[0])
    # The alert is what is left to be mailed.
    assert "2>" not in look


def test_cron_writes_its_logs_where_the_user_writes_the_lakehouse() -> None:
    text = (DEPLOY / "churn-spark.cron").read_text(encoding="utf-8")
    [lakehouse] = re.findall(r"^LAKEHOUSE=(\S+)$", text, re.MULTILINE)
    logs = re.findall(r">> (\S+)", text)
    assert len(logs) == 2
    # A shell that can't open the log doesn't start the command at all.
    assert {Path(log).parent for log in logs} == {Path(lakehouse).parent}


def test_dag_knows_a_list_without_scores_by_what_the_job_says(tmp_path: Path) -> None:
    """The DAG leaves the export out then, see tests/airflow."""
    dag = (DEPLOY / "airflow" / "churn_spark_nightly.py").read_text(encoding="utf-8")
    [pattern] = re.findall(r'^NO_SCORES = r"(.+)"$', dag, re.MULTILINE)
    lakehouse, day = open_local(tmp_path), date(2018, 12, 1)
    with pytest.raises(MissingTableError, match=pattern) as before_any:
        retention_list.USE_CASE.require_tables(lakehouse)
    assert before_any.value.exit_code == 2
    for spec in retention_list.USE_CASE.reads:
        lakehouse.create(spec)
    retention_list.USE_CASE.require_tables(lakehouse)
    # A service that had lists and has none tonight is to be looked at.
    with pytest.raises(MissingTableError) as of_another:
        read_as_of(lakehouse, SCORES, day)
    assert not re.search(pattern, str(of_another.value))
