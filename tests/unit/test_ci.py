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
[[ $1 == demo ]] && mkdir -p "${2#LAKEHOUSE=}/gold/snapshots/as_of=2018-12-01"
[[ $1 != "$FAILS" ]]
"""
DONE = "#!/usr/bin/env bash\n"


@dataclass(frozen=True)
class Checkout:
    """A checkout in which no step does anything."""

    folder: Path

    def run(self, fails: str = "none") -> subprocess.CompletedProcess[str]:
        path = f"{self.folder / 'bin'}:{os.environ['PATH']}"
        known = {"PATH": path, "PYTHON": sys.executable, "FAILS": fails}
        return subprocess.run(
            [".ci/run"],
            cwd=self.folder,
            env={**os.environ, **known, "VENV": ".venv"},
            capture_output=True,
            text=True,
            check=False,
        )

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
    for name, text in doubles.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    return Checkout(tmp_path)


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
