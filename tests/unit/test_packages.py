"""What the jobs import is in the lock that images and the wheel are installed by."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
OURS = {"churn_spark", "jobs"}
# Makes the trust store of the Java in a wheel, which brings it: requirements/java.lock.
OF_JAVA = {"cryptography"}

# Parts of pyspark, pydantic and fastapi, which hand out their objects.
OF_DECLARED_ONES = {"py4j", "pydantic_core", "starlette"}


def imported_by(path: Path) -> Iterator[str]:
    """The packages that a file imports, at its head or later."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (one.name.partition(".")[0] for one in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


def normal(name: str) -> str:
    """A distribution's name, however it is written."""
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.fixture(scope="module")
def imported() -> dict[str, set[str]]:
    """What the package imports from outside: module -> its distributions."""
    of_module = packages_distributions()
    files = [*ROOT.glob("churn_spark/**/*.py"), *ROOT.glob("jobs/*.py")]
    names = {name for path in files for name in imported_by(path)}
    outside = names - OURS - OF_JAVA - sys.stdlib_module_names
    assert len(outside) > 5
    return {name: {*map(normal, of_module.get(name, []))} for name in outside}


def test_lock_of_the_jobs_has_every_package_that_they_import(
    imported: dict[str, set[str]],
) -> None:
    text = (ROOT / "requirements" / "base.lock").read_text(encoding="utf-8")
    locked = {normal(one) for one in re.findall(r"^([\w.-]+)==", text, re.MULTILINE)}
    assert {name for name, packages in imported.items() if not locked & packages} == set()


def test_every_package_that_is_imported_is_declared(imported: dict[str, set[str]]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = {normal(re.split(r"[^\w.-]", one)[0]) for one in project["dependencies"]}
    undeclared = {name for name, packages in imported.items() if not declared & packages}
    assert undeclared == OF_DECLARED_ONES
