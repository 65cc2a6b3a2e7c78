"""How far an ingest is: told every few seconds where it takes longer than a moment."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from churn_spark.pipeline.heartbeat import beating

_MOMENT: Final = 3.0
_REDRAWN_AFTER: Final = 0.5


class IngestProgress:
    """Bytes and lines that were read, of all new files together."""

    def __init__(
        self,
        step: str,
        total: int,
        look_at_tasks: Callable[[], str],
        console: Console | None = None,
    ) -> None:
        """Nothing is shown yet.

        Args:
            step: whose progress it is.
            total: bytes of all new files.
            look_at_tasks: how far Spark is, in words: all that is known until a task has ended.
            console: where a bar is drawn, if it is a terminal.
        """
        self._console = console or Console()
        self._step, self._total, self._look_at_tasks = step, total, look_at_tasks
        self._n_bytes = self._n_lines = 0
        self._follow: Callable[[], tuple[int, int]] = lambda: (0, 0)
        self._started = time.monotonic()

    def add(self, n_bytes: int, n_lines: int) -> None:
        """Tell of more that was read."""
        self._n_bytes += n_bytes
        self._n_lines += n_lines

    @contextmanager
    def following(self, read: Callable[[], tuple[int, int]]) -> Iterator[None]:
        """Take what tasks elsewhere have read from a function that says it at any time."""
        self._follow = read
        try:
            yield
        finally:
            self._follow = lambda: (0, 0)
            self.add(*read())

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Show it while the work goes on: a bar on a terminal, else a line now and then."""
        if not self._console.is_terminal:
            with beating(self._step, self.describe, self._console):
                yield
            return
        done = Event()
        thread = Thread(target=self._draw, args=(done,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def describe(self) -> str:
        """`1,200,000 lines, 40%, about 30 s left`; until anything is counted, the tasks."""
        n_bytes, n_lines = self._now()
        if not (n_bytes or n_lines):
            # Tasks tell what they have read when they end, and one may read a large file whole.
            return self._look_at_tasks()
        share = n_bytes / self._total
        seconds = time.monotonic() - self._started
        left = f", about {seconds * (1 - share) / share:,.0f} s left" if share else ""
        return f"{n_lines:,} lines, {share:.0%}{left}"

    def _now(self) -> tuple[int, int]:
        n_bytes, n_lines = self._follow()
        return min(self._total, self._n_bytes + n_bytes), self._n_lines + n_lines

    def _draw(self, done: Event) -> None:
        if done.wait(_MOMENT):
            return
        columns = (
            TextColumn("{task.description:<20}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[lines]:,} lines"),
            TimeRemainingColumn(),
        )
        with Progress(*columns, transient=True, console=self._console) as bar:
            shown = bar.add_task(self._step, total=self._total, lines=0)
            while not done.wait(_REDRAWN_AFTER):
                n_bytes, n_lines = self._now()
                bar.update(shown, completed=n_bytes, lines=n_lines)
