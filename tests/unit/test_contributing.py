"""What a contributor reads first: the example changes fit the code, the citation the version."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
DIFFS = re.findall(r"^```diff\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("diff", DIFFS, ids=("feature", "check", "page"))
def test_example_change_can_be_applied(diff: str, tmp_path: Path) -> None:
    if shutil.which("git") is None:
        pytest.skip("found no git on the path")
    for name in re.findall(r"^--- a/(.+)$", diff, re.MULTILINE):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    done = subprocess.run(
        ["git", "apply", "-"], cwd=tmp_path, input=diff, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"CONTRIBUTING.md shows a change that fits no more: {done.stderr}"


def test_every_command_of_the_page_names_what_is_there() -> None:
    for path in re.findall(r"(?:pytest| )((?:tests|docs|conf)/[\w/.]+)", PAGE):
        assert (ROOT / path).exists(), path
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"make ([a-z-]*[a-z])\b", PAGE)) - {"bench"} <= targets


def test_citation_is_of_this_version_and_licence() -> None:
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert cited["version"] == project["version"]
    assert cited["license"] == project["license"] == "Apache-2.0"
    assert "Apache License" in (ROOT / "LICENSE").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["bug", "feature"])
def test_forms_of_issues_ask_for_what_github_knows(name: str) -> None:
    form = yaml.safe_load((ROOT / ".github/ISSUE_TEMPLATE" / f"{name}.yml").read_text("utf-8"))
    assert {"name", "description", "body"} <= form.keys()
    kinds = {"markdown", "textarea", "dropdown", "input", "checkboxes"}
    asked = [part for part in form["body"] if part["type"] != "markdown"]
    assert {part["type"] for part in form["body"]} <= kinds
    assert len({part["id"] for part in asked}) == len(asked) > 2
    assert all("label" in part["attributes"] for part in asked)
