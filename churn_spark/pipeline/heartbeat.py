"""A long step says that it goes on: its seconds, and how far Spark is with what it asked for."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event, Thread
from typing import Final

from pyspark import SparkContext
from rich.console import Console

from churn_spark.pipeline.console import say

_MOMENT: Final = 3.0
_REDRAWN_AFTER: Final = 0.5
_LINE_AFTER: Final = 10.0


def describe_tasks(spark: SparkContext) -> str:
    """`task 12 of 64`, of the stages that run; empty where none does."""
    tracker = spark.statusTracker()
    stages = [tracker.getStageInfo(number) for number in tracker.getActiveStageIds()]
    there = [stage for stage in stages if stage is not None]
    done = sum(stage.numCompletedTasks for stage in there)
    total = sum(stage.numTasks for stage in there)
    return f"task {done:,} of {total:,}" if total else ""


@contextmanager
def beating(step: str, look: Callable[[], str], console: Console | None = None) -> Iterator[None]:
    """Say that a step goes on while the block does: on a terminal in place, else line by line.

    Of steps within steps the innermost is named.

    Args:
        step: its name.
        look: how far it is, in words; empty where that isn't known.
        console: which of the two it is.
    """
    beat = _Beat(step, look)
    _beats.append(beat)
    done = Event()
    out = console or Console()
    show = _draw if out.is_terminal else _print
    thread = Thread(target=show, args=(done, out), daemon=True)
    if len(_beats) == 1:
        thread.start()
    try:
        yield
    finally:
        _beats.remove(beat)
        done.set()
        if thread.ident is not None:
            thread.join()


@dataclass(frozen=True, eq=False)
class _Beat:
    step: str
    look: Callable[[], str]
    started: float = field(default_factory=time.monotonic)

    def describe(self) -> str:
        """`still running after 40 s, task 12 of 64`."""
        try:
            far = self.look()
        except Exception:
            # The session may have ended; what the step says of that counts.
            far = ""
        return f"still running after {time.monotonic() - self.started:,.0f} s{far and f', {far}'}"


_beats: Final[list[_Beat]] = []
"""Of the steps that go on, the innermost last."""


def _print(done: Event, _: Console) -> None:
    while not done.wait(_LINE_AFTER):
        for beat in _beats[-1:]:
            say(beat.step, beat.describe())


def _draw(done: Event, console: Console) -> None:
    if done.wait(_MOMENT):
        return
    with console.status("") as shown:
        while not done.wait(_REDRAWN_AFTER):
            for beat in _beats[-1:]:
                shown.update(f"{beat.step} {beat.describe()}")
