"""What the machine refuses is said in one line, with what to do; a defect is not."""

from __future__ import annotations

import errno
import os
import re

import pytest

from churn_spark.troubles import describe_trouble


@pytest.mark.parametrize(
    ("error", "trouble"),
    [
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/lake/x"), "the disk is full .*/lake/x"),
        (
            Exception("a\njava.io.IOException: No space left on device\n\tat a.b"),
            "the disk is full",
        ),
        (Exception("(sqlite3.OperationalError) database or disk is full"), "the disk is full"),
        (
            OSError("Generic LocalFileSystem error: ... (os error 30)"),
            "the storage to write to is read-only",
        ),
        (Exception("attempt to write a readonly database"), "the storage to write to is read-only"),
        (PermissionError(errno.EACCES, os.strerror(errno.EACCES), "/lake"), "user of this process"),
        (Exception("java.nio.file.AccessDeniedException: /lake/x"), "user of this process"),
        (Exception("(sqlite3.OperationalError) database is locked"), "another process uses"),
    ],
)
def test_trouble_is_named_with_its_place(error: Exception, trouble: str) -> None:
    outer = RuntimeError("it failed")
    outer.__cause__ = error
    for raised in (error, outer):
        told = describe_trouble(raised)
        assert told is not None
        assert "\n" not in told
        assert re.search(trouble, told)


def test_defect_is_not_taken_for_trouble() -> None:
    assert describe_trouble(ValueError("no such column")) is None
    error = KeyError("a")
    error.__context__ = error
    assert describe_trouble(error) is None
