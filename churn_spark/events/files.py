"""The input folder: which files there are, which are new, which changed after they were read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import pandas as pd
import polars as pl
from py4j.protocol import Py4JJavaError
from pyspark.sql import SparkSession

from churn_spark.contracts.tables import FILES
from churn_spark.errors import InputError
from churn_spark.lakehouse.polars_schema import polars_schema_of

_ENDINGS: Final = (".json", ".jsonl", ".ndjson", ".json.gz", ".jsonl.gz", ".ndjson.gz")


@dataclass(frozen=True)
class ListedFile:
    """An input file as the file system lists it.

    Attributes:
        path: with its scheme, not percent-encoded.
        size_bytes: its size.
        modified: milliseconds since the epoch.
    """

    path: str
    size_bytes: int
    modified: int


@dataclass(frozen=True)
class Location:
    """An input location as the file system lists it.

    Attributes:
        files: to read, by path; of a folder only JSON files.
        ignored: paths of the other files in the folder.
    """

    files: Sequence[ListedFile]
    ignored: Sequence[str]

    def new_files(self, known: pd.DataFrame) -> list[ListedFile]:
        """Those that no batch has read; an empty one waits until it has lines.

        Args:
            known: the table `FILES`.
        """
        names = set(known["source_file"])
        return [one for one in self.files if one.path not in names and one.size_bytes]

    def changed_files(self, known: pd.DataFrame) -> list[str]:
        """Those whose size or time differ from when they were read.

        Args:
            known: the table `FILES`.
        """
        sizes = dict(zip(known["source_file"], known["size_bytes"], strict=True))
        times = dict(zip(known["source_file"], known["modified_ts"], strict=True))
        return [
            one.path
            for one in self.files
            if one.path in sizes
            and (sizes[one.path], times[one.path].tz_localize(UTC))
            != (one.size_bytes, pd.Timestamp(one.modified, unit="ms", tz=UTC))
        ]


def list_location(spark: SparkSession, path: str) -> Location:
    """List a folder (with its sub-folders), a file or a glob.

    Raises:
        InputError: if no file is there or the folder can't be listed.
    """
    jvm: Any = spark._jvm
    hadoop = jvm.org.apache.hadoop.fs
    root = hadoop.Path(path)
    try:
        file_system = root.getFileSystem(spark._jsc.hadoopConfiguration())
        # A name that is there means itself, whatever characters it has.
        pattern = escape_glob(path) if file_system.exists(root) else path
        matches = list(file_system.globStatus(hadoop.Path(pattern)) or ())
        found = [file for match in matches for file in _walk(file_system, match.getPath())]
    except Py4JJavaError as error:
        reason = error.java_exception.toString()
        raise InputError(
            f"can't list {path}: {reason}; expected a readable folder, file or glob"
        ) from error
    is_folder = len(matches) == 1 and matches[0].isDirectory()
    files = [file for file in found if not is_folder or file.path.endswith(_ENDINGS)]
    if not files:
        raise InputError(
            f"found no event file at {path}; expected a folder with .json or .json.gz files, "
            "a file or a glob: check the path"
        )
    ignored = sorted({file.path for file in found} - {file.path for file in files})
    return Location(sorted(files, key=lambda file: file.path), ignored)


def escape_glob(path: str) -> str:
    """The glob that matches exactly this path."""
    return re.sub(r"([\[\]{}*?\\])", r"\\\1", path)


def build_files(files: Iterable[ListedFile], broken: Mapping[str, str], batch: int) -> pl.DataFrame:
    """The files of one batch, each with its problem if it has one.

    Grain: one file.
    """
    rows = [
        (
            file.path,
            file.size_bytes,
            datetime.fromtimestamp(file.modified / 1000, tz=UTC),
            broken.get(file.path),
            batch,
        )
        for file in files
    ]
    return pl.DataFrame(rows, schema=polars_schema_of(FILES), orient="row")


def _walk(file_system: Any, path: Any) -> Iterator[ListedFile]:
    walker = file_system.listFiles(path, True)
    while walker.hasNext():
        status = walker.next()
        if not status.getPath().getName().startswith(("_", ".")):
            yield ListedFile(
                status.getPath().toString(), status.getLen(), status.getModificationTime()
            )
