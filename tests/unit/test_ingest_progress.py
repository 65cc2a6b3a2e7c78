"""Progress of an ingest: of all files together, nothing where it is over in a moment."""

from __future__ import annotations

import re
import time
from io import StringIO
from threading import Event

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
    say, of_tasks, of_lines = heartbeat.say, Event(), Event()

    def say_and_tell(step: str, text: str) -> None:
        say(step, text)
        (of_lines if "20 lines" in text else of_tasks).set()

    monkeypatch.setattr(heartbeat, "say", say_and_tell)
    progress = begin()
    with progress.shown():
        assert of_tasks.wait(60)
        progress.add(500, 20)
        assert of_lines.wait(60)
    first, *_, last = capsys.readouterr().out.splitlines()
    begun = r"ingest_events        still running after \d+ s, "
    assert re.fullmatch(begun + "task 0 of 1", first)
    assert re.match(begun + "20 lines, 50%, about ", last)


def test_terminal_gets_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest_progress, "_MOMENT", 0.01)
    monkeypatch.setattr(ingest_progress, "_REDRAWN_AFTER", 0.01)
    terminal = StringIO()
    console = Console(file=terminal, force_terminal=True, width=120)
    progress = begin(console)
    progress.add(500, 20)
    until = time.monotonic() + 60
    with progress.shown():
        while "20 lines" not in terminal.getvalue() and time.monotonic() < until:
            time.sleep(0.01)
    assert "20 lines" in terminal.getvalue()
