"""What every job says of itself: its options, their defaults and their meaning."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest
import typer
from pyspark import SparkContext
from snapshots import assert_snapshot
from typer import rich_utils
from typer.testing import CliRunner

import jobs
from jobs._main import make_app

pytestmark = pytest.mark.unit
NAMES = sorted(
    file.stem for file in Path(jobs.__file__).parent.glob("*.py") if not file.stem.startswith("_")
)


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal of 100 columns without colours, wherever the tests run."""
    for name, value in {"COLUMNS": "100", "NO_COLOR": "1", "TERM": "dumb"}.items():
        monkeypatch.setenv(name, value)
    # Read from the environment when typer was imported.
    monkeypatch.setattr(rich_utils, "MAX_WIDTH", 100)
    monkeypatch.setattr(rich_utils, "FORCE_TERMINAL", None)


def app_of(name: str) -> typer.Typer:
    app: typer.Typer = import_module(f"jobs.{name}").app
    return app


def page_of(app: typer.Typer, called: str) -> str:
    answer = CliRunner().invoke(app, ["--help"], prog_name=called)
    assert answer.exit_code == 0, answer.output
    return "\n".join(line.rstrip() for line in answer.output.strip().splitlines())


@pytest.mark.usefixtures("narrow")
def test_help_of_every_job_is_the_frozen_one() -> None:
    pages = [page_of(make_app(), "churn-spark")]
    for name in NAMES:
        pages.append(page_of(app_of(name), f"python -m jobs.{name}"))
    assert_snapshot("help.txt", "\n\n".join(pages) + "\n")


def test_to_import_the_jobs_starts_no_jvm() -> None:
    before = SparkContext._gateway
    for name in NAMES:
        app_of(name)
    assert SparkContext._gateway is before
