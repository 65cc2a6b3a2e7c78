"""Files outside of the lakehouse that a caller names for a job to write."""

from __future__ import annotations

import os
from pathlib import Path

from churn_spark.errors import InputError


def require_file_place(path: Path) -> None:
    """Let pass only a path at which a file can be written, be there one or not.

    Raises:
        InputError: if there can be none.
    """
    folder = path.parent
    if path.is_dir():
        found = f"{path}, which is a folder"
    elif path.exists():
        found = "" if os.access(path, os.W_OK) else f"{path}, which this user may not write to"
    elif not folder.is_dir():
        found = f"no folder {folder}"
    else:
        is_open = os.access(folder, os.W_OK | os.X_OK)
        found = "" if is_open else f"{folder}, which this user may not write to"
    if found:
        raise InputError(
            f"found {found}, expected a file in a folder that is there and can be written to: "
            "name another one"
        )
