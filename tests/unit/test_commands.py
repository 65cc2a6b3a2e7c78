"""The command `churn-spark`: every job is in it, none is loaded before it is called."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from typer.testing import CliRunner

import jobs
from churn_spark import __version__
from churn_spark.config import load_config
from jobs._catalogue import COMMANDS
from jobs._main import load_command, make_app, read_summary

pytestmark = pytest.mark.unit
FOLDER = Path(jobs.__file__).parent
EXAMPLES = [
    (name, example)
    for group in COMMANDS.values()
    for name, examples in group.items()
    for example in examples
]
# What lists the commands, and is asked what it has loaded.
LISTING = """
import sys
from typer.testing import CliRunner
from jobs._main import make_app
assert "train_model" in CliRunner().invoke(make_app(), ["--help"]).output
print(*sorted(name for name in sys.modules if name.startswith(("jobs.", "pydantic", "pyspark"))))
"""


def run_app(*arguments: str) -> tuple[int, str]:
    answer = CliRunner().invoke(make_app(), arguments, prog_name="churn-spark")
    return answer.exit_code, answer.output


def test_every_job_is_a_command_in_one_group() -> None:
    named = sorted(name for group in COMMANDS.values() for name in group)
    assert named == sorted(file.stem for file in FOLDER.glob("[!_]*.py"))


def test_to_list_the_commands_loads_none_of_them() -> None:
    command = [sys.executable, "-c", LISTING]
    told = subprocess.run(command, cwd=FOLDER.parent, capture_output=True, text=True, check=True)
    assert told.stdout.split() == ["jobs._catalogue", "jobs._command", "jobs._main"]


def test_summary_is_what_the_job_says_of_itself() -> None:
    for name in ("status", "train_model", "serve"):
        assert load_command(name).help.startswith(read_summary(name))


@pytest.mark.parametrize(("name", "example"), EXAMPLES)
def test_examples_are_commands_that_can_be_called(name: str, example: str) -> None:
    words = shlex.split(example)
    load_command(name).make_context(name, [*words])  # refuses what the command doesn't take
    settings = [value for option, value in pairwise(words) if option == "--set"]
    load_config(overrides=settings)


def test_help_of_a_command_ends_with_its_examples() -> None:
    code, told = run_app("erase_user", "--help")
    assert code == 0
    assert told.rstrip().endswith("churn-spark erase_user --file ids.txt")


def test_mistyped_command_and_option_are_told_their_neighbour() -> None:
    code, told = run_app("trian_model")
    assert (code, "Did you mean 'train_model'" in told) == (2, True)
    code, told = run_app("score_users", "--dat", "2018-12-01")
    assert (code, "--date" in told) == (2, True)


def test_commands_may_be_spelled_with_hyphens_and_have_parts() -> None:
    assert run_app("train-model", "--help")[1] == run_app("train_model", "--help")[1]
    code, told = run_app("serve", "new-key", "dashboard")
    assert (code, "dashboard" in told) == (0, True)


@pytest.mark.parametrize("host", ["::", "0.0.0.0", "yes"])  # noqa: S104
def test_service_listens_at_the_address_that_is_given(
    host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[str] = []
    monkeypatch.setattr(
        "jobs.serve.run_service", lambda service: heard.append(service.serving.host)
    )
    assert run_app("serve", "--host", host, "--without-keys")[0] == 0
    assert heard == [host]


def test_version_is_told() -> None:
    assert run_app("--version") == (0, f"churn-spark {__version__}\n")


@pytest.mark.parametrize(
    ("words", "expected"),
    [("churn-spark tra", "train_model"), ("churn-spark score_users --fr", "--from")],
)
def test_shell_completes_commands_and_options(words: str, expected: str) -> None:
    asked = {"_CHURN_SPARK_COMPLETE": "complete_bash", "COMP_WORDS": words}
    asked["COMP_CWORD"] = str(len(words.split()) - 1)
    told = subprocess.run(
        [sys.executable, "-m", "jobs._main"],
        cwd=FOLDER.parent,
        env=os.environ | asked,
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.stdout.split() == [expected]
