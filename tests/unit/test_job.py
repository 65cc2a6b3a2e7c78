"""How a job ends: its exit code, its one line; and the guards of the demo's lakehouse."""

from __future__ import annotations

import errno
import os
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path
from types import ModuleType
from typing import NoReturn

import pytest
import typer

from churn_spark import errors
from churn_spark.config import load_config
from churn_spark.errors import (
    ChurnSparkError,
    ConfigError,
    InputError,
    LeakFoundError,
    LockedError,
    SchemaError,
    UserError,
)
from churn_spark.pipeline import console, demo
from churn_spark.pipeline.context import JobContext
from jobs import _command, _options, nightly
from jobs import demo as demo_job

ROOT = Path(__file__).parents[2]
Run = Callable[..., int]


@pytest.fixture
def run_app(monkeypatch: pytest.MonkeyPatch) -> Run:
    """A function that runs a command as a job does and returns its exit code."""
    # Typer replaces the hook of the whole process.
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)

    def run(command: Callable[..., None], *arguments: str) -> int:
        monkeypatch.setattr(sys, "argv", ["job", *arguments])
        app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
        app.command()(command)
        with pytest.raises(SystemExit) as caught:
            _command.run_app(app)
        return int(caught.value.code or 0)

    return run


def raising(error: BaseException) -> Callable[[], None]:
    def command() -> NoReturn:
        raise error

    return command


def all_errors(root: type[ChurnSparkError] = ChurnSparkError) -> list[type[ChurnSparkError]]:
    return [root, *(error for child in root.__subclasses__() for error in all_errors(child))]


def test_exit_code_is_zero_when_the_command_returns(run_app: Run) -> None:
    assert run_app(lambda: None) == 0


def test_exit_code_is_two_with_one_line_when_the_caller_can_mend_it(
    run_app: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_app(raising(InputError("found nothing, expected files"))) == 2
    assert capsys.readouterr() == ("", "error: found nothing, expected files\n")


def test_exit_code_is_one_with_one_line_when_rows_do_not_fit_their_schema(
    run_app: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_app(raising(SchemaError("missing ['a']"))) == 1
    assert capsys.readouterr().err == "error: missing ['a']\n"


def test_exit_code_is_two_with_one_line_when_the_machine_refuses(
    run_app: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    error = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/lake/part")
    assert run_app(raising(error)) == 2
    told = capsys.readouterr().err
    assert re.fullmatch(r"error: the disk is full \(.*/lake/part.*\): .*\n", told)


def test_exit_code_is_one_with_the_traceback_when_unexpected(
    run_app: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_app(raising(ZeroDivisionError("a defect"))) == 1
    printed = capsys.readouterr().err
    assert printed.startswith("Traceback (most recent call last):")
    assert printed.endswith("ZeroDivisionError: a defect\n")


@pytest.mark.parametrize("code", [10, 20, 30])
def test_exit_code_is_the_jobs_own_when_it_sets_one(code: int, run_app: Run) -> None:
    assert run_app(raising(typer.Exit(code))) == code


def test_exit_code_is_two_when_an_option_is_unknown(run_app: Run) -> None:
    assert run_app(lambda: None, "--dat", "2018-10-01") == 2


@pytest.mark.parametrize("error", all_errors()[1:], ids=lambda error: error.__name__)
def test_users_errors_alone_have_exit_code_two(error: type[ChurnSparkError]) -> None:
    other_codes = {LeakFoundError: 30, LockedError: 40}
    assert error.exit_code == other_codes.get(error, 2 if issubclass(error, UserError) else 1)


def test_every_error_says_when_it_is_raised() -> None:
    assert all(error.__doc__ for error in all_errors())
    assert {e.__module__ for e in all_errors()} == {errors.__name__}


def test_job_ends_with_two_and_one_line_when_a_set_is_wrong(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "jobs.ingest_events", "--set", "training.sed=1"]
    # Without Java: the mistake has to be found before a JVM is started.
    environment = {**os.environ, "LAKEHOUSE": str(tmp_path / "lakehouse"), "JAVA_HOME": ""}
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=ROOT, env=environment
    )
    assert (done.returncode, done.stdout) == (2, "")
    told = r"error: .*training\.sed: no such key \(did you mean training\.seed\?\)\. .*\n"
    assert re.fullmatch(told, done.stderr)
    assert not (tmp_path / "lakehouse").exists()


@pytest.mark.parametrize("job", [nightly, demo_job])
def test_a_store_without_a_place_is_refused_before_anything_is_read_or_written(
    job: ModuleType,
) -> None:
    config = load_config(overrides=["lakehouse=s3a://bucket/lake"])
    context = JobContext(config, lambda: pytest.fail("the lakehouse was opened"))
    with pytest.raises(ConfigError, match=r"s3a://bucket/lake.*registry.tracking_uri"):
        job.main(context)


def test_date_is_read_when_it_is_iso() -> None:
    assert _options.parse_date("2018-10-01") == date(2018, 10, 1)
    assert _options.parse_date(date(2018, 10, 1)) == date(2018, 10, 1)


@pytest.mark.parametrize("text", ["October", "2018-13-01", "01.10.2018", "2018-10-01T00:00", ""])
def test_date_is_refused_when_it_is_none(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="expected YYYY-MM-DD") as caught:
        _options.parse_date(text)
    assert repr(text) in str(caught.value)


@pytest.mark.parametrize("text", ["0001-01-01", "1969-12-31", "2200-01-01", "9999-12-31"])
def test_date_is_refused_when_no_window_around_it_is_one(text: str) -> None:
    with pytest.raises(typer.BadParameter, match=f"found '{text}', expected a date from 1970"):
        _options.parse_date(text)


def test_date_option_ends_with_two_when_it_is_no_date(
    run_app: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    def command(date: _options.DateOption) -> None:
        pytest.fail(f"ran with {date}")

    assert run_app(command, "--date", "October") == 2
    assert "found 'October'" in capsys.readouterr().err


def test_demo_claims_a_folder_when_the_lakehouse_is_empty(tmp_path: Path) -> None:
    folder = demo.claim_demo_lakehouse(str(tmp_path / "new"))
    assert folder.is_dir()
    assert folder.parent == tmp_path / "new"


def test_demo_claims_its_lakehouse_again_when_run_twice(tmp_path: Path) -> None:
    first = demo.claim_demo_lakehouse(str(tmp_path))
    (tmp_path / "bronze").mkdir()
    (first / "log.json").write_text("{}")
    assert demo.claim_demo_lakehouse(str(tmp_path)) == first
    assert (first / "log.json").read_text() == "{}"


def test_demo_is_refused_when_real_logs_are_loaded_there(tmp_path: Path) -> None:
    (tmp_path / "bronze").mkdir()
    with pytest.raises(
        InputError, match="has tables of other logs; the demo needs an empty local folder"
    ):
        demo.claim_demo_lakehouse(str(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["bronze"]


def test_demo_is_refused_when_the_lakehouse_is_no_local_folder() -> None:
    with pytest.raises(InputError, match="s3a://bucket/lake"):
        demo.claim_demo_lakehouse("s3a://bucket/lake")


def test_real_logs_are_refused_when_the_lakehouse_is_the_demos(tmp_path: Path) -> None:
    demo.claim_demo_lakehouse(str(tmp_path))
    with pytest.raises(InputError, match="belongs to the demo and can't take other logs"):
        demo.refuse_demo_lakehouse(str(tmp_path))


@pytest.mark.parametrize("name", ["", "missing"])
def test_real_logs_are_welcome_when_the_lakehouse_is_no_demos(name: str, tmp_path: Path) -> None:
    demo.refuse_demo_lakehouse(str(tmp_path / name))
    demo.refuse_demo_lakehouse("s3a://bucket/demo_log")


def test_closing_line_has_the_step_its_facts_and_its_seconds(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with console.closing_line("score_users") as facts:
        facts.append("12 users")
        facts.append("3 high")
    assert re.fullmatch(
        r"score_users          12 users; 3 high  \[0\.\d s\]\n", capsys.readouterr().out
    )


def test_closing_line_is_left_out_when_the_step_fails(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(InputError), console.closing_line("score_users"):
        raise InputError("nothing there")
    assert capsys.readouterr().out == ""


def test_warning_goes_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    console.warn("a.json was changed")
    assert capsys.readouterr() == ("", "warning: a.json was changed\n")
