"""What CI calls: all steps in their order, and none of them may fail; `make` is a double."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
STEPS = [
    *("test", "lint", "docs-site", "setup", "demo", "package-check", "notebooks", "pages-check"),
    *("test-slow", "image-check", "bench-smoke"),
]
# Says which step it is, leaves a demo's snapshot, and fails at the step that it is told.
MAKE = """#!/usr/bin/env bash
echo "$1" >> steps
[[ $1 != setup ]] && echo "made $1"
[[ $1 == test ]] && echo "options $PYTEST_ADDOPTS; sample ${CHURN_REQUIRE_SAMPLE_DATA:-no}, browser\
 ${CHURN_REQUIRE_BROWSER:-no}"
[[ $1 == demo ]] && mkdir -p "${2#LAKEHOUSE=}/gold/snapshots/as_of=2018-12-01"
[[ $1 != "$FAILS" ]]
"""
DONE = "#!/usr/bin/env bash\n"


@dataclass(frozen=True)
class Checkout:
    """A checkout in which no step does anything."""

    folder: Path

    def run(self, fails: str = "none", **more: str) -> subprocess.CompletedProcess[str]:
        path = f"{self.folder / 'bin'}:{os.environ['PATH']}"
        known = {"PATH": path, "PYTHON": sys.executable, "FAILS": fails, **more}
        # What CI tells the tests of these tests isn't known yet when CI begins.
        inherited = {
            name: value for name, value in os.environ.items() if not name.startswith("CHURN_")
        }
        return subprocess.run(
            [".ci/run"],
            cwd=self.folder,
            env={**inherited, **known, "VENV": ".venv"},
            capture_output=True,
            text=True,
            check=False,
        )

    def put(self, name: str, text: str) -> None:
        """Put a program in the place of another double."""
        (self.folder / name).write_text(text)
        (self.folder / name).chmod(0o755)

    @property
    def steps(self) -> list[str]:
        return (self.folder / "steps").read_text().split()


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".ci").mkdir()
    shutil.copy(ROOT / ".ci" / "run", tmp_path / ".ci" / "run")
    doubles = {"bin/make": MAKE, "scripts/image_base.sh": DONE, "spark-submit.sh": DONE}
    # None of these is to be installed or asked.
    doubles |= {f"bin/{name}": DONE for name in ("apt-get", "chromium", "npm")}
    # Images are built by root alone.
    doubles["bin/id"] = "#!/usr/bin/env bash\necho 0\n"
    found = Checkout(tmp_path)
    for name, text in doubles.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        found.put(name, text)
    return found


def test_all_steps_run_tests_and_lint_first(checkout: Checkout) -> None:
    done = checkout.run()
    assert done.returncode == 0, done.stderr
    assert checkout.steps[0] == "test"
    assert sorted(checkout.steps) == sorted(STEPS)
    assert done.stdout.endswith("--- all passed\n")
    # Also what runs beside others is shown.
    assert {f"made {step}" for step in STEPS} - {"made setup"} <= {*done.stdout.splitlines()}
    begun = [line for line in done.stdout.splitlines() if line.startswith("--- ")]
    assert begun.index("--- make lint") < begun.index("--- make test-slow")


@pytest.mark.parametrize("step", STEPS)
def test_ci_fails_when_a_step_fails(checkout: Checkout, step: str) -> None:
    done = checkout.run(fails=step)
    assert done.returncode != 0
    assert step in checkout.steps
    assert "all passed" not in done.stdout


def test_tests_need_the_sample_data_a_browser_and_most_of_the_lines(checkout: Checkout) -> None:
    said = checkout.run(CHURN_SAMPLE_DATA="/data").stdout
    [options] = [line for line in said.splitlines() if line.startswith("options ")]
    assert "--cov=churn_spark " in options
    assert "--cov-fail-under=80" in options
    assert options.endswith("; sample 1, browser 1")


def test_setup_that_does_work_a_second_time_fails(checkout: Checkout) -> None:
    checkout.put("bin/make", MAKE.replace("[[ $1 != setup ]] && echo", "echo"))
    done = checkout.run()
    assert done.returncode != 0
    assert "a second make setup did work" in done.stderr
    assert "demo" not in checkout.steps


@pytest.mark.parametrize("name", ["spark-submit.sh", "scripts/image_base.sh"])
def test_ci_fails_when_a_script_fails(checkout: Checkout, name: str) -> None:
    checkout.put(name, "#!/usr/bin/env bash\nexit 3\n")
    done = checkout.run()
    assert done.returncode != 0
    assert "passed" not in done.stdout


def test_what_a_machine_cannot_do_is_left_out_and_said(checkout: Checkout) -> None:
    checkout.put("scripts/image_base.sh", "#!/usr/bin/env bash\nexit 2\n")
    done = checkout.run()
    assert done.returncode == 0, done.stderr
    assert "image-check" not in checkout.steps
    assert done.stdout.splitlines()[-1].startswith("--- passed, but left out were: image-check, ")


def test_slow_tests_are_left_out_where_all_before_took_too_long(checkout: Checkout) -> None:
    # Bash goes on counting from there.
    done = checkout.run(SECONDS="4000")
    assert done.returncode == 0, done.stderr
    assert sorted([*checkout.steps, "test-slow"]) == sorted(STEPS)
    told = "--- passed, but left out were: test-slow, as all before took 6"
    assert done.stdout.splitlines()[-1].startswith(told)


# Fails in one of its commands; installs a Chromium.
APT_GET = """#!/usr/bin/env bash
[[ $* == "$FAILING"* ]] && exit 100
[[ $* == "install -y"* ]] && cp bin/npm bin/chromium
exit 0
"""
TOOLS = "bash cat cp dirname env find mkdir mktemp paste rm sed sort tail touch"


@pytest.mark.parametrize(
    ("failing", "browser"),
    [("none", "1"), ("update", "no"), ("install --simulate", "no"), ("install -y", None)],
)
def test_browser_is_done_without_only_where_none_is_offered(
    checkout: Checkout, failing: str, browser: str | None
) -> None:
    """One that is offered and can't be installed ends all of it."""
    (checkout.folder / "bin" / "chromium").unlink()
    checkout.put("bin/apt-get", APT_GET)
    # The machine's own browser isn't to be found.
    for name in TOOLS.split():
        (checkout.folder / "bin" / name).symlink_to(str(shutil.which(name)))
    done = checkout.run(PATH=str(checkout.folder / "bin"), FAILING=failing)
    assert (done.returncode == 0) == (browser is not None), done.stderr
    if browser is None:
        assert not (checkout.folder / "steps").exists()
        return
    assert f"browser {browser}\n" in done.stdout
    assert ("pages-check" in checkout.steps) == (browser == "1")
    assert ("left out were: tests in a browser" in done.stdout) == (browser == "no")
