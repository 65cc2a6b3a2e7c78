"""What a machine refuses a program, in one line: the caller's to mend, whoever noticed it first."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from churn_spark.errors import ExitCode


@dataclass(frozen=True)
class _Trouble:
    """A kind of what is refused.

    Attributes:
        pattern: of the text of an error.
        found: what it means.
        way_out: what to do.
        code: of the command that ends with it.
    """

    pattern: str
    found: str
    way_out: str
    code: ExitCode = ExitCode.MISTAKE


_TROUBLES: Final = (
    _Trouble(
        r"No space left on device|os error 28\b|database or disk is full|Disk quota exceeded",
        "the disk is full",
        "free some space and run the same command again: it finishes what was started",
    ),
    _Trouble(
        r"Read-only file system|os error 30\b|readonly database",
        "the storage to write to is read-only",
        "mount it writable, or set LAKEHOUSE to another place",
    ),
    _Trouble(
        r"NoSuchBucket|UnknownStoreException",
        "the object store has no such bucket",
        "make it, or name another one; AWS_ENDPOINT_URL and AWS_REGION say which store is asked",
    ),
    _Trouble(
        r"169\.254\.169\.254|NoAuthWithAWSException",
        "found no keys for the object store, and no role of this machine",
        "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give the machine a role",
    ),
    _Trouble(
        r"InvalidAccessKeyId|SignatureDoesNotMatch|ExpiredToken|InvalidToken|Code>AccessDenied"
        r"|ACCESS_DENIED|lacked the necessary privileges",
        "the object store does not let these keys do it",
        "check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, and what they are "
        "allowed (docs/stores.md)",
    ),
    _Trouble(
        # In Python's own words "[Errno 111]" it is Spark's JVM, here, that is gone.
        # The address, where it is in the same line, is part of what is shown.
        r"(?:\w+://.*)?(?:os error 111\b|error sending request|UnknownHostException"
        r"|failed on (?:connection|socket timeout) exception|Unable to execute HTTP request"
        r"|Max retries exceeded with url)",
        "a server that this needs does not answer",
        "check its address, whether it runs, and the network, and run the same again",
        # Not the caller's alone: a scheduler does well to try again.
        ExitCode.UNEXPECTED,
    ),
    _Trouble(
        r"Permission denied|os error 13\b|AccessDeniedException|AccessControlException",
        "permission denied to the user of this process",
        "run as the owner of the folder, or set LAKEHOUSE to a folder that this user may write to",
    ),
    _Trouble(
        r"database is locked",
        "another process uses the MLflow store",
        "end it, such as an `mlflow ui` or a backup, and run the same again",
    ),
)
_MAX_CHARS: Final = 300
_STEPS: Final = re.compile(r"\s*\n\s*\x1b\[\d*m↳\x1b\[\d*m\s*")
"""deltalake gives each step of what it did a line and a coloured arrow."""


def describe_trouble(error: BaseException) -> str | None:
    """What the machine refused, and what to do; none for an error that is a defect.

    Args:
        error: as it arrived; what it came from is looked at, too.
    """
    if (found := _find_trouble(error)) is None:
        return None
    trouble, line = found
    return f"{trouble.found} ({line}): {trouble.way_out}"


def exit_code_of(error: BaseException | None) -> int:
    """What a command that ends with the error, or with none, exits with."""
    if error is None:
        return ExitCode.DONE
    # Others' errors have a `code`, too, such as of an HTTP answer.
    told = error.code if isinstance(error, SystemExit) else getattr(error, "exit_code", None)
    if isinstance(told, int):
        return int(told)
    found = _find_trouble(error)
    return ExitCode.UNEXPECTED if found is None else found[0].code


def _find_trouble(error: BaseException) -> tuple[_Trouble, str] | None:
    """What was refused, and the line that says so."""
    for cause in _causes(error):
        text = _STEPS.sub(": ", str(cause))
        for trouble in _TROUBLES:
            if found := re.search(trouble.pattern, text):
                return trouble, _line_of(text, found.start())
    return None


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
