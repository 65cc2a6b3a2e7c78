"""Where Python reaches the tables without Spark, and by which address."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from pyspark.sql import SparkSession

from churn_spark.errors import MachineError
from churn_spark.lakehouse.hdfs import answers, is_hdfs

OBJECT_STORES: Final = frozenset({"s3", "s3a", "gs", "abfs", "abfss", "az"})
"""Schemes that deltalake knows, as Polars and obstore do; deltalake knows HDFS, too."""
_MISREAD: Final = re.compile(r"[\[\]\\^|\x00-\x1f]|%[0-9A-Fa-f]{2}")
"""What deltalake takes for something else in a path, or fails at."""
_SETTINGS: Final = ("AWS_", "AZURE_", "GOOGLE_", "HADOOP_")


def qualify(spark: SparkSession, path: str) -> str:
    """The path with its scheme: Hadoop's `fs.defaultFS`, where it names none."""
    if urlsplit(path).scheme in OBJECT_STORES:
        return path
    jvm: Any = spark._jvm
    as_path = jvm.org.apache.hadoop.fs.Path(path)
    file_system = as_path.getFileSystem(spark._jsc.hadoopConfiguration())
    return str(file_system.makeQualified(as_path).toString())


def escape_glob(path: str) -> str:
    """The glob of Hadoop's that matches exactly this path."""
    return re.sub(r"([\[\]{}*?\\])", r"\\\1", path)


def native_root(qualified: str) -> str | None:
    """What deltalake calls a folder: a plain path, or an address; none where it can't reach it.

    Args:
        qualified: with a scheme, as Hadoop writes it: not percent-encoded.
    """
    scheme, _, path = qualified.partition(":")
    if _MISREAD.search(path):
        return None
    if scheme == "file":
        return "/" + path.lstrip("/")
    is_known = scheme in OBJECT_STORES or (is_hdfs(qualified) and answers(qualified))
    return qualified if is_known else None


def require_writable(root: str) -> None:
    """Let pass only a place where tables can be made; of an object store nothing is asked.

    Raises:
        MachineError: if a local folder, or what is to hold it, can't be written to.
    """
    if not root.startswith("/"):
        return
    folder = Path(root)
    # A link to nowhere is no place, and nothing can be made there.
    while not folder.exists() and not folder.is_symlink() and folder != folder.parent:
        folder = folder.parent
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        what = "no folder" if not folder.is_dir() else "not to be written to by this user"
        raise MachineError(
            f"found {folder}, which is {what}, expected a folder for the lakehouse {root}: set "
            "LAKEHOUSE to another place, or mount or own this one"
        )


def storage_options(root: str) -> dict[str, str]:
    """The environment's keys and end points of an object store; none for a local path.

    deltalake reads them itself where it runs; handed on, they hold in Spark's workers too.
    """
    return {} if root.startswith("/") else object_store_settings()


def object_store_settings() -> dict[str, str]:
    """What the environment says of other storage: keys, end points, where its settings are."""
    return {name: value for name, value in os.environ.items() if name.startswith(_SETTINGS)}
