"""A thread that looks again every few seconds."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence

_log = logging.getLogger(__name__)


class Watcher:
    """Calls its looks in turn, at once and then every so many seconds, until it is stopped."""

    def __init__(self, looks: Sequence[Callable[[], None]], every_s: float) -> None:
        """Nothing runs before `start`."""
        self._looks, self._every_s = looks, every_s
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watcher", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Stop looking; a look under way is waited for, some seconds."""
        self._stopping.set()
        self._thread.join(timeout=5)

    def _run(self) -> None:
        while True:
            for look in self._looks:
                try:
                    look()
                except Exception:
                    # The next look must come: a service that stopped looking would grow stale
                    # without a word.
                    _log.exception("a look failed")
            if self._stopping.wait(self._every_s):
                return
