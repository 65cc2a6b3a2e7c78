"""What every write to a lakehouse asks first: whether this process still holds the lock."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

_checks: Final[list[Callable[[], None]]] = []
"""Of the locks that this process has taken: none where nothing else can write."""


@contextmanager
def guarded_by(check: Callable[[], None]) -> Iterator[None]:
    """Let each write in the block first call a function, which raises where the lock is lost."""
    _checks.append(check)
    try:
        yield
    finally:
        _checks.remove(check)


def require_lock() -> None:
    """Let pass only who holds the lock, or has none to hold.

    Raises:
        LockedError: if another job has taken it.
    """
    for check in _checks:
        check()
