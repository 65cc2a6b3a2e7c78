"""The locks are of one mind, and the image's packages are those that the service declares."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PINS = re.compile(r"^([a-z0-9._-]+)==(\S+)", re.MULTILINE)
LOCKS = ("dev", "base", "service", "docs", "public_logs")


def pins(lock: str) -> dict[str, str]:
    return dict(PINS.findall((ROOT / "requirements" / f"{lock}.lock").read_text("utf-8")))


@pytest.mark.parametrize("lock", ["base", "service"])
def test_smaller_lock_has_the_versions_of_the_large_one(lock: str) -> None:
    found = pins(lock)
    assert len(found) > 20
    assert found.items() <= pins("dev").items(), "run `make lock`"


def test_image_has_what_the_service_declares() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    grouped = set(project["dependency-groups"]["service"])
    assert grouped <= set(pins("service")), "run `make lock`"
    declared = {re.split(r"[<>=]", one)[0] for one in project["project"]["dependencies"]}
    assert grouped <= declared


def test_installed_package_has_what_the_service_needs() -> None:
    assert pins("service").items() <= pins("base").items()


@pytest.mark.parametrize("lock", LOCKS)
def test_lock_names_no_registry(lock: str) -> None:
    text = (ROOT / "requirements" / f"{lock}.lock").read_text("utf-8")
    assert "://" not in text
    assert text.count("--hash=sha256:") >= len(pins(lock))
