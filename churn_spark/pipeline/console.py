"""What a run says on the terminal: a closing line for each step, progress, warnings."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from churn_spark.churn_words import in_words

Listener = Callable[[str, float], None]
"""Takes the name of a step that is done, and its seconds."""

_listeners: Final[list[Listener]] = []


@contextmanager
def each_step_told_to(listener: Listener) -> Iterator[None]:
    """Tell a function of each step that is done in the block: its name and its seconds."""
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
    seconds = time.monotonic() - started
    say(step, "; ".join(facts), seconds)
    for listener in _listeners:
        listener(step, seconds)


def say(step: str, text: str, seconds: float | None = None) -> None:
    """Print one aligned line of progress to standard output."""
    took = "" if seconds is None else f"  [{seconds:.1f} s]"
    print(f"{step:<20} {in_words(text)}{took}", flush=True)


def warn(text: str) -> None:
    """Print one warning to standard error."""
    print(f"warning: {in_words(text)}", file=sys.stderr, flush=True)


def log_to_standard_error() -> None:
    """Let log records, such as those of alerts, be lines there: standard output tells of steps."""
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    logging.getLogger("churn_spark").setLevel(logging.INFO)
