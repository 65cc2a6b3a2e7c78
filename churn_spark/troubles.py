"""What a machine refuses a program, in one line: the caller's to mend, whoever noticed it first."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from churn_spark.errors import ExitCode

_WAYS_OUT: Final = (
    (
        r"No space left on device|os error 28\b|database or disk is full|Disk quota exceeded",
        "the disk is full",
        "free some space and run the same command again: it finishes what was started",
    ),
    (
        r"Read-only file system|os error 30\b|readonly database",
        "the storage to write to is read-only",
        "mount it writable, or set LAKEHOUSE to another place",
    ),
    (
        r"Permission denied|os error 13\b|AccessDeniedException|AccessControlException",
        "permission denied to the user of this process",
        "run as the owner of the folder, or set LAKEHOUSE to a folder that this user may write to",
    ),
    (
        r"database is locked",
        "another process uses the MLflow store",
        "end it, such as an `mlflow ui` or a backup, and run the same again",
    ),
)
_MAX_CHARS: Final = 300


def describe_trouble(error: BaseException) -> str | None:
    """What the machine refused, and what to do; none for an error that is a defect.

    Args:
        error: as it arrived; what it came from is looked at, too.
    """
    for cause in _causes(error):
        text = str(cause)
        for pattern, trouble, way_out in _WAYS_OUT:
            if found := re.search(pattern, text):
                return f"{trouble} ({_line_of(text, found.start())}): {way_out}"
    return None


def exit_code_of(error: BaseException | None) -> int:
    """What a command that ends with the error, or with none, exits with."""
    if error is None:
        return ExitCode.DONE
    # Others' errors have a `code`, too, such as of an HTTP answer.
    told = error.code if isinstance(error, SystemExit) else getattr(error, "exit_code", None)
    if isinstance(told, int):
        return int(told)
    return ExitCode.MISTAKE if describe_trouble(error) else ExitCode.UNEXPECTED


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error, and what it came from, the innermost last."""
    seen: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in seen:
        seen.append(cause)
        yield cause
        cause = cause.__cause__ or cause.__context__


def _line_of(text: str, at: int) -> str:
    """The line of a text that has a place, not too long."""
    start = text.rfind("\n", 0, at) + 1
    line = text[start:].partition("\n")[0].strip()
    cut = max(0, at - start - _MAX_CHARS // 2)
    return line[cut : cut + _MAX_CHARS]
