"""One version, wherever it is written; and the newest entry of the changelog is of it."""

from __future__ import annotations

import re
import tomllib
from datetime import date
from pathlib import Path

import pytest

from churn_spark import __version__

ROOT = Path(__file__).resolve().parents[2]
WRITTEN = {
    "CITATION.cff": r"^version: (\S+)$",
    "deploy/kubernetes/nightly.yaml": r"image: \S+/churn-jobs:(\S+)",
    "docs/platforms/kubernetes.md": r"/churn-jobs:([\d.]+)",
    "tests/frozen/openapi.json": r'^  "version": "([^"]+)"',
}


@pytest.mark.parametrize("place", WRITTEN)
def test_version_is_the_packages_wherever_it_is_written(place: str) -> None:
    found = re.findall(WRITTEN[place], (ROOT / place).read_text(encoding="utf-8"), re.MULTILINE)
    assert {*found} == {__version__}


def test_project_is_of_the_version_of_the_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == __version__


def test_newest_release_of_the_changelog_is_the_version() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    unreleased, newest, *_ = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert unreleased == "[Unreleased]"
    version, day = newest.split(" - ")
    assert version == f"[{__version__}]"
    assert date.fromisoformat(day)
