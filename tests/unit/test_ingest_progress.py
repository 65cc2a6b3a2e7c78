"""Progress of an ingest: of all files together, nothing where it is over in a moment."""

from __future__ import annotations

import time
from io import StringIO

import pytest
from rich.console import Console

from churn_spark.pipeline import ingest_progress
from churn_spark.pipeline.ingest_progress import IngestProgress


def test_progress_adds_up_what_the_driver_and_tasks_have_read() -> None:
    progress = IngestProgress("ingest_events", 1_000)
    progress.add(100, 10)
    with progress.following(lambda: (300, 1_990)):
        assert progress.describe().startswith("2,000 lines, 40%, about ")
    progress.add(600, 1)
    assert progress.describe() == "2,001 lines, 100%, about 0 s left"


def test_nothing_is_left_out_when_nothing_is_read_yet() -> None:
    assert IngestProgress("ingest_events", 1_000).describe() == "0 lines, 0%"


def test_short_run_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with IngestProgress("ingest_events", 1_000).shown():
        pass
    assert capsys.readouterr().out == ""


def test_long_run_says_a_line_now_and_then(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest_progress, "_LINE_AFTER", 0.01)
    progress = IngestProgress("ingest_events", 1_000)
    progress.add(500, 20)
    with progress.shown():
        time.sleep(0.2)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) > 1
    assert lines[0].startswith("ingest_events        20 lines, 50%, about ")


def test_terminal_gets_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest_progress, "_MOMENT", 0.01)
    monkeypatch.setattr(ingest_progress, "_REDRAWN_AFTER", 0.01)
    terminal = StringIO()
    console = Console(file=terminal, force_terminal=True, width=120)
    progress = IngestProgress("ingest_events", 1_000, console)
    progress.add(500, 20)
    with progress.shown():
        time.sleep(0.3)
    assert "20 lines" in terminal.getvalue()
