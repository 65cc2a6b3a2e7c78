"""`make setup` and `make run`: what becomes of an environment or a demo's lakehouse that is there.

The interpreter is a double.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# Makes environments in which it is the interpreter itself, and fails to install if it is told to.
PYTHON = """#!/usr/bin/env bash
case "$1 $2" in
  "-m venv") mkdir -p "$3/bin" && touch "$3/pyvenv.cfg" && cp "$0" "$3/bin/python" ;;
  "-m pip") [[ ! -e no-network ]] ;;
esac
"""


@dataclass(frozen=True)
class Checkout:
    """A checkout without the package."""

    folder: Path

    def make(
        self, *arguments: str, target: str = "setup", **variables: str
    ) -> subprocess.CompletedProcess[str]:
        # Without what a make that runs these tests tells the makes below it.
        outer = ("VENV", "MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES")
        inherited = {k: v for k, v in os.environ.items() if k not in outer}
        return subprocess.run(
            ["make", target, f"PYTHON={self.folder / 'python'}", *arguments],
            cwd=self.folder,
            env=inherited | variables,
            capture_output=True,
            text=True,
            check=False,
        )

    def venv(self, name: str, *files: str) -> Path:
        """An environment with a file of somebody's, and with others of some content."""
        folder = self.folder / name
        for file in ("pyvenv.cfg", "somebodys", *files):
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).write_text("old")
        return folder

    def change_lock(self) -> None:
        (self.folder / "requirements" / "dev.lock").write_text("new")


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    scripts = ("scripts/make_venv.sh", "scripts/make_command.sh")
    for path in ("Makefile", *scripts, "requirements/dev.lock"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / path, tmp_path / path)
    (tmp_path / "python").write_text(PYTHON)
    (tmp_path / "python").chmod(0o755)
    return Checkout(tmp_path)


OURS = "churn_spark/installed.lock"


@pytest.mark.parametrize("arguments", [[], ["VENV=named"]])
def test_second_setup_does_nothing_and_says_nothing(
    checkout: Checkout, arguments: list[str]
) -> None:
    first = checkout.make(*arguments)
    assert first.returncode == 0, first.stderr
    assert "from requirements/dev.lock (some minutes, once)" in first.stdout
    files = {path: path.stat().st_mtime_ns for path in checkout.folder.rglob("*")}
    again = checkout.make(*arguments)
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")
    assert {path: path.stat().st_mtime_ns for path in checkout.folder.rglob("*")} == files


def test_setup_leaves_a_command_that_runs_the_code_of_the_checkout(checkout: Checkout) -> None:
    assert checkout.make().returncode == 0
    assert os.access(checkout.folder / ".venv" / "bin" / "churn-spark", os.X_OK)


def test_command_finds_code_and_interpreter_wherever_they_are(checkout: Checkout) -> None:
    venv = checkout.folder / "somebody's venv"
    (venv / "bin").mkdir(parents=True)
    # The interpreter says what it is called with, and where it looks for code.
    (venv / "bin" / "python").write_text('#!/usr/bin/env bash\nprintf "%s\\n" "$PYTHONPATH" "$@"\n')
    (venv / "bin" / "python").chmod(0o755)
    subprocess.run([checkout.folder / "scripts" / "make_command.sh", venv], check=True)
    command = [venv / "bin" / "churn-spark", "query", "select 1"]
    told = subprocess.run(command, cwd="/", capture_output=True, text=True, check=True).stdout
    paths, *arguments = told.splitlines()
    assert paths.split(":")[0] == str(checkout.folder)
    assert arguments == ["-P", "-m", "jobs._main", "query", "select 1"]


def test_own_environment_follows_the_lock_and_a_line_says_so(checkout: Checkout) -> None:
    checkout.make()
    checkout.venv(".venv")
    checkout.change_lock()
    done = checkout.make()
    assert done.returncode == 0, done.stderr
    [line] = done.stdout.splitlines()
    assert "made anew, as requirements/dev.lock has changed" in line
    assert not (checkout.folder / ".venv" / "somebodys").exists()
    assert (checkout.folder / ".venv" / OURS).read_text() == "new"


@pytest.mark.parametrize(
    ("files", "error"),
    [
        ([], "named, a virtual environment that this project hasn't made: move it away"),
        ([OURS], "made from another state of requirements/dev.lock, expected this one: remove it"),
    ],
)
@pytest.mark.parametrize("how", ["option", "variable"])
def test_named_environment_of_others_or_of_another_lock_is_not_touched(
    checkout: Checkout, files: list[str], error: str, how: str
) -> None:
    folder = checkout.venv("named", *files)
    before = sorted(folder.rglob("*"))
    done = checkout.make("VENV=named") if how == "option" else checkout.make(VENV="named")
    assert done.returncode == 2
    [line] = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert error in line
    assert "or choose another VENV=dir" in line
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize("arguments", [[], ["VENV=named"]])
def test_setup_that_was_cut_off_begins_anew(checkout: Checkout, arguments: list[str]) -> None:
    (checkout.folder / "no-network").touch()
    done = checkout.make(*arguments)
    assert done.returncode == 2
    assert "error: the packages could not be installed: check the network" in done.stderr
    (checkout.folder / "no-network").unlink()
    done = checkout.make(*arguments)
    assert done.returncode == 0, done.stderr
    assert "made anew, as it isn't whole" in done.stdout


def test_folder_that_is_no_environment_is_refused(checkout: Checkout) -> None:
    (checkout.folder / "named").mkdir()
    (checkout.folder / "named" / "thesis.txt").touch()
    done = checkout.make("VENV=named")
    assert done.returncode == 2
    assert "found named, which is no virtual environment: move it away" in done.stderr
    assert (checkout.folder / "named" / "thesis.txt").exists()


@pytest.fixture
def demo(checkout: Checkout) -> Checkout:
    """A checkout with the demo's lakehouse."""
    (checkout.folder / "lake" / "demo_log").mkdir(parents=True)
    return checkout


@pytest.mark.parametrize("lakehouse", ["lake", "lake/"])
def test_run_moves_the_lakehouse_of_the_demo_aside(demo: Checkout, lakehouse: str) -> None:
    done = demo.make(target="run", EVENTS="/logs", LAKEHOUSE=lakehouse)
    assert done.returncode == 0, done.stderr
    [aside] = demo.folder.glob("lake*")
    assert aside.name.startswith("lake-demo-")
    assert (aside / "demo_log").is_dir()
    assert f"The demo's lakehouse now is {aside.name}: " in done.stdout


def test_run_ends_where_the_lakehouse_of_the_demo_cannot_be_moved(demo: Checkout) -> None:
    tools = demo.folder / "tools"
    tools.mkdir()
    (tools / "mv").write_text("#!/bin/sh\nexit 1\n")
    (tools / "mv").chmod(0o755)
    # Set-up moves what it writes into its place.
    assert demo.make().returncode == 0
    told = {"LAKEHOUSE": "lake", "PATH": f"{tools}:{os.environ['PATH']}"}
    done = demo.make(target="run", EVENTS="/logs", **told)
    assert done.returncode == 2
    assert "now is" not in done.stdout
