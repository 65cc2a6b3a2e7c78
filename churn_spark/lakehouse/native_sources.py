"""Input files as Python reads them, wherever a task runs: local disks, object stores, HDFS."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import urlsplit

import pyarrow as pa
from pyarrow import fs

from churn_spark.lakehouse import hdfs

_SCHEMES: Final = frozenset({"file", "s3", "s3a", "gs", "abfs", "abfss"})
_REFUSED: Final = re.compile(
    r"ACCESS_DENIED|PERMISSION_DENIED|Permission denied|INVALID_OBJECT_STATE|HTTP status 403"
)
"""Of one file among many: its rights, or that it was moved to an archive. Of an object store Arrow
says so by a plain `OSError`."""


def is_reachable(path: str) -> bool:
    """Whether Python reads the file, by the scheme of its path as Hadoop lists it."""
    if hdfs.is_hdfs(path):
        return hdfs.answers(path)
    return path.partition(":")[0] in _SCHEMES


@contextmanager
def open_source(path: str) -> Iterator[pa.NativeFile]:
    """The opened file; keys and end points of an object store come from the environment.

    Args:
        path: as Hadoop lists it: with a scheme, not percent-encoded.

    Raises:
        FileNotFoundError: if it is gone.
        PermissionError: if it may not be read, by whatever error its store says so.
    """
    try:
        system, name = locate(path)
        with system.open_input_file(name) as source:
            yield source
    except OSError as error:
        if _REFUSED.search(str(error)):
            raise PermissionError(str(error)) from error
        raise


def locate(path: str) -> tuple[Any, str]:
    """The file system of a path, and the path's name there."""
    if hdfs.is_hdfs(path):
        return hdfs.locate(path)
    scheme, _, rest = path.partition(":")
    if scheme == "file":
        return fs.LocalFileSystem(), "/" + rest.lstrip("/")
    container, _, key = rest.removeprefix("//").partition("/")
    if scheme in ("s3", "s3a"):
        return (
            fs.S3FileSystem(endpoint_override=os.environ.get("AWS_ENDPOINT_URL")),
            f"{container}/{key}",
        )
    if scheme == "gs":
        return fs.GcsFileSystem(), f"{container}/{key}"
    account = urlsplit(f"//{container}").hostname or ""
    return (
        fs.AzureFileSystem(account.partition(".")[0]),
        f"{container.partition('@')[0]}/{key}",
    )
