"""Progress of an ingest: of all files together, nothing where it is over in a moment."""

from __future__ import annotations

import time
from io import StringIO

import pytest
from rich.console import Console

from churn_spark.pipeline import heartbeat, ingest_progress
from churn_spark.pipeline.ingest_progress import IngestProgress


def begin(console: Console | None = None) -> IngestProgress:
    return IngestProgress("ingest_events", 1_000, lambda: "task 0 of 1", console)


def test_progress_adds_up_what_the_driver_and_tasks_have_read() -> None:
    progress = begin()
    progress.add(100, 10)
    with progress.following(lambda: (300, 1_990)):
        assert progress.describe().startswith("2,000 lines, 40%, about ")
    progress.add(600, 1)
    assert progress.describe() == "2,001 lines, 100%, about 0 s left"


def test_tasks_are_told_until_one_of_them_has_ended() -> None:
    progress = begin()
    assert progress.describe() == "task 0 of 1"
    with progress.following(lambda: (0, 0)):
        assert progress.describe() == "task 0 of 1"


def test_short_run_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with begin().shown():
        pass
    assert capsys.readouterr().out == ""


def test_long_run_says_a_line_now_and_then(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heartbeat, "_LINE_AFTER", 0.01)
    progress = begin()
    with progress.shown():
        time.sleep(0.2)
        progress.add(500, 20)
        time.sleep(0.2)
    first, *_, last = capsys.readouterr().out.splitlines()
    assert first == "ingest_events        still running after 0 s, task 0 of 1"
    assert last.startswith("ingest_events        still running after 0 s, 20 lines, 50%, about ")


def test_terminal_gets_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest_progress, "_MOMENT", 0.01)
    monkeypatch.setattr(ingest_progress, "_REDRAWN_AFTER", 0.01)
    terminal = StringIO()
    console = Console(file=terminal, force_terminal=True, width=120)
    progress = begin(console)
    progress.add(500, 20)
    with progress.shown():
        time.sleep(0.3)
    assert "20 lines" in terminal.getvalue()
