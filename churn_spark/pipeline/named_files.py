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
    folder = path.resolve().parent
    if not os.access(folder, os.X_OK) or not folder.is_dir():
        found = f"no folder {folder} that this user may enter"
    elif path.is_dir():
        found = f"{path}, which is a folder"
    elif not os.access(path if path.exists() else folder, os.W_OK):
        found = f"{path}, which this user may not write"
    else:
        return
    raise InputError(
        f"found {found}, expected a file in a folder that is there and can be written to: name "
        "another one"
    )


def require_new_file(path: Path) -> None:
    """Let pass only a path at which a file can be made, and none is there.

    Raises:
        InputError: if there is one, or can be none.
    """
    require_file_place(path)
    if path.exists():
        raise InputError(f"found {path}, expected a file that isn't there yet: name another one")
