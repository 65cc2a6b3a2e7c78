"""What a run says on the terminal: a closing line for each step, progress, warnings."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

_listeners: Final[list[Callable[[str], None]]] = []


@contextmanager
def each_step_told_to(listener: Callable[[str], None]) -> Iterator[None]:
    """Tell a function the name of each step that is done in the block, for a measurement."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


@contextmanager
def closing_line(step: str) -> Iterator[list[str]]:
    """Print one line when the step is done: its name, its facts, its seconds.

    The facts are appended by the step to the list that this gives.
    """
    started = time.monotonic()
    facts: list[str] = []
    yield facts
    say(step, "; ".join(facts), time.monotonic() - started)
    for listener in _listeners:
        listener(step)


def say(step: str, text: str, seconds: float | None = None) -> None:
    """Print one aligned line of progress to standard output."""
    took = "" if seconds is None else f"  [{seconds:.1f} s]"
    print(f"{step:<20} {text}{took}", flush=True)


def warn(text: str) -> None:
    """Print one warning to standard error."""
    print(f"warning: {text}", file=sys.stderr, flush=True)
