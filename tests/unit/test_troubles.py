"""What the machine refuses is said in one line, with what to do; a defect is not."""

from __future__ import annotations

import errno
import os
import re

import pytest

from churn_spark.errors import ExitCode
from churn_spark.troubles import describe_trouble, exit_code_of


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
        (Exception("404 Not Found: <Error><Code>NoSuchBucket</Code>"), "no such bucket"),
        (
            Exception("PUT http://169.254.169.254/latest/api/token: 403 Forbidden"),
            "found no keys for the object store",
        ),
        (Exception("403 Forbidden: <Code>InvalidAccessKeyId</Code>"), "not let these keys"),
        (OSError("AWS Error ACCESS_DENIED during HeadObject operation"), "not let these keys"),
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


@pytest.mark.parametrize(
    "told",
    [
        # deltalake, obstore, Hadoop's client, S3A, MLflow's.
        "Kernel error -> Generic S3 error\n  \x1b[31m↳\x1b[0m Error performing GET http://s3:9/lake"
        "\n   \x1b[31m↳\x1b[0m tcp connect error\n    \x1b[31m↳\x1b[0m error sending request",
        f"Error performing PUT http://s3:9/{'lake/' * 30} in 2 s, after 10 retries, "
        "retry_timeout: 180s - HTTP error: error sending request\n\nDebug source:\nGeneric {",
        "Call From a/127.0.0.1 to http://s3:9 failed on connection exception: refused",
        "Unable to execute HTTP request: Connect to http://s3:9 failed",
        "HTTPConnectionPool(host='s3'): Max retries exceeded with url: http://s3:9/api/2.0",
    ],
)
def test_server_that_does_not_answer_is_named_and_may_be_asked_again(told: str) -> None:
    error = OSError(told)
    line = describe_trouble(error)
    assert line is not None
    assert line.startswith("a server that this needs does not answer (")
    assert "http://s3:9" in line
    assert "\n" not in line
    assert "\x1b" not in line
    assert exit_code_of(error) == ExitCode.UNEXPECTED


def test_jvm_that_is_gone_is_no_server_that_does_not_answer() -> None:
    gone = ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))
    assert describe_trouble(gone) is None


def test_defect_is_not_taken_for_trouble() -> None:
    assert describe_trouble(ValueError("no such column")) is None
    error = KeyError("a")
    error.__context__ = error
    assert describe_trouble(error) is None
