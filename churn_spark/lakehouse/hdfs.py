"""HDFS as Python reaches it, without a JVM: by the client that deltalake has inside.

It reads the same settings as Hadoop's (`HADOOP_CONF_DIR`, `HADOOP_USER_NAME`). Where it can't log
in, as on a cluster whose Kerberos it doesn't find, all goes through Spark.
"""

from __future__ import annotations

import io
import logging
import re
from functools import cache
from typing import IO, Final
from urllib.parse import urlsplit

from pyarrow.fs import PyFileSystem

from churn_spark.lakehouse.arrow_files import WritableHandler

SCHEMES: Final = frozenset({"hdfs", "viewfs"})
_log: Final = logging.getLogger(__name__)


def is_hdfs(path: str) -> bool:
    """Whether a path with a scheme is one of HDFS."""
    return path.partition(":")[0] in SCHEMES


def answers(path: str) -> bool:
    """Whether the cluster of a path lets Python look into it; asked once in a process."""
    return _answers(_cluster_of(path))


def locate(path: str) -> tuple[PyFileSystem, str]:
    """The file system of a path, and the path's name there."""
    # A name may have a `#` or a `?`, which are no end of it as in an URL.
    return _open(_cluster_of(path)), re.sub("^[^:]+:(//[^/]*)?/*", "", path)


def read_file(path: str) -> IO[bytes]:
    """The content of a file."""
    system, name = locate(path)
    with system.open_input_file(name) as file:
        return io.BytesIO(file.read())


def write_file(path: str, content: bytes) -> None:
    """Write a file, with the folders above it; it appears when it is whole."""
    system, name = locate(path)
    with system.open_output_stream(name) as file:
        file.write(content)


@cache
def _answers(cluster: str) -> bool:
    try:
        _open(cluster).get_file_info("any")
    except OSError as error:
        told = " ".join(str(error).split())[:200]
        _log.warning("%s lets only Spark in, which is slower, not Python: %s", cluster, told)
        return False
    return True


@cache
def _open(cluster: str) -> PyFileSystem:
    return PyFileSystem(WritableHandler(cluster))


def _cluster_of(path: str) -> str:
    parts = urlsplit(path)
    return f"{parts.scheme}://{parts.netloc}/"
