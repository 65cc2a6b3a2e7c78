"""Whether a disk has room for what is to be written to it, asked before it is begun."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path
from typing import Final

_SPARE: Final = 2**20
"""Bytes that a small table takes beside its rows: the footer of its file, and its commit."""


def require_room(place: str, n_bytes: int) -> None:
    """Let pass only rows for which a local disk has room as they are in memory.

    Compressed they take less. But a disk that becomes full while a file is written is told by the
    libraries that write in many lines of their own, beside the one that says what to do.

    Args:
        place: where they are written; a folder that isn't there yet, too. Nothing is asked of
            other stores.
        n_bytes: of the rows.

    Raises:
        OSError: if there is less room, as by the disk itself.
    """
    if not place.startswith("/"):
        return
    there = next(folder for folder in (Path(place), *Path(place).parents) if folder.exists())
    if shutil.disk_usage(there).free < n_bytes + _SPARE:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), place)
