"""Work on parts of the users side by side, where NumPy's loops leave the interpreter free."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

Part = TypeVar("Part")
Result = TypeVar("Result")

_MAX_THREADS: Final = 8
"""Each part that is worked on takes memory: 0.2 GB and more in the model of fading, of two years.

A container may have less time of the host's cores than it sees of them.
"""


def map_parts(function: Callable[[Part], Result], parts: Iterable[Part]) -> list[Result]:
    """What the function makes of each part, in their order."""
    with ThreadPoolExecutor(_n_threads()) as threads:
        return list(threads.map(function, parts))


def _n_threads() -> int:
    """Cores that this process may use, up to a bound."""
    # macOS doesn't say which these are.
    seen = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return min(seen or 1, _MAX_THREADS)
