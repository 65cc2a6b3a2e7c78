"""A long step says that it goes on; a short one says nothing."""

from __future__ import annotations

import time
from io import StringIO
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from churn_spark.pipeline import heartbeat
from churn_spark.pipeline.heartbeat import beating, describe_tasks


@pytest.fixture
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_MOMENT", "_REDRAWN_AFTER", "_LINE_AFTER"):
        monkeypatch.setattr(heartbeat, name, 0.02)


def wait_for(text: str, shown: Any) -> str:
    """What is shown, once it has the text."""
    told = ""
    for _ in range(200):
        told += shown()
        if text in told:
            return told
        time.sleep(0.02)
    pytest.fail(f"found {told!r}, expected {text!r} in it")


def test_short_step_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with beating("train_model", lambda: ""):
        pass
    assert capsys.readouterr().out == ""


@pytest.mark.usefixtures("fast")
def test_long_step_says_line_by_line_how_far_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    with beating("train_model", lambda: "task 3 of 8"):
        told = wait_for("task 3 of 8", lambda: capsys.readouterr().out)
    assert told.startswith("train_model          still running after 0 s, task 3 of 8\n")


@pytest.mark.usefixtures("fast")
def test_innermost_step_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with beating("retrain_if_needed", lambda: ""):
        with beating("train_model", lambda: ""):
            capsys.readouterr()
            wait_for("train_model", lambda: capsys.readouterr().out)
        capsys.readouterr()
        wait_for("retrain_if_needed", lambda: capsys.readouterr().out)


@pytest.mark.usefixtures("fast")
def test_what_cannot_be_told_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> str:
        raise ConnectionError

    with beating("train_model", fail):
        assert "still running after 0 s\n" in wait_for("0 s", lambda: capsys.readouterr().out)


@pytest.mark.usefixtures("fast")
def test_terminal_gets_one_line_in_place() -> None:
    terminal = StringIO()
    with beating("train_model", lambda: "", Console(file=terminal, force_terminal=True)):
        wait_for("train_model still running", terminal.getvalue)


def test_tasks_of_all_stages_that_run_are_added_up() -> None:
    stages = {1: (3, 8), 2: (0, 4)}
    tracker = SimpleNamespace(
        getActiveStageIds=lambda: [*stages, 3],
        getStageInfo=lambda number: (
            SimpleNamespace(numCompletedTasks=stages[number][0], numTasks=stages[number][1])
            if number in stages
            else None
        ),
    )
    spark: Any = SimpleNamespace(statusTracker=lambda: tracker)
    assert describe_tasks(spark) == "task 3 of 12"
    stages.clear()
    assert describe_tasks(spark) == ""
