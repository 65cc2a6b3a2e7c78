"""The input folder: which files there are, which are new, which changed after they were read."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from churn_spark.contracts.tables import FILES
from churn_spark.errors import InputError
from churn_spark.lakehouse.schema import conform

_FILE_NAMES = "*.{json,jsonl,ndjson,json.gz,jsonl.gz,ndjson.gz}"
_ENDINGS = tuple(_FILE_NAMES[3:-1].split(","))
_STREAM_SCHEMA = T.StructType(
    [
        T.StructField("path", T.StringType()),
        T.StructField("modificationTime", T.TimestampType()),
        T.StructField("length", T.LongType()),
        T.StructField("content", T.BinaryType()),
    ]
)


@dataclass(frozen=True)
class Location:
    """An input location as the file system lists it.

    Attributes:
        path: folder, file or glob, in the notation of globs.
        is_folder: whether it names one folder, of which only JSON files are read.
        files: (path, size in bytes, modified in ms since the epoch) of each file to read.
        ignored: paths of the other files in the folder.
    """

    path: str
    is_folder: bool
    files: Sequence[tuple[str, int, int]]
    ignored: Sequence[str]


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
    files = [file for file in found if not is_folder or file[0].endswith(_ENDINGS)]
    if not files:
        raise InputError(
            f"found no event file at {path}; expected a folder with .json or .json.gz files, "
            "a file or a glob: check the path"
        )
    ignored = sorted({file[0] for file in found} - {file[0] for file in files})
    return Location(pattern, is_folder, sorted(files), ignored)


def escape_glob(path: str) -> str:
    """The glob that matches exactly this path."""
    return re.sub(r"([\[\]{}*?\\])", r"\\\1", path)


def stream_files(spark: SparkSession, location: Location, max_files_per_batch: int) -> DataFrame:
    """A stream with one row per new file: path, modificationTime, length; contents unread.

    Structured Streaming remembers the files in its checkpoint, so each is delivered once.
    """
    reader = (
        spark.readStream.format("binaryFile")
        .schema(_STREAM_SCHEMA)
        .option("recursiveFileLookup", "true")
        .option("maxFilesPerTrigger", max_files_per_batch)
        # Without it, files older than 7 days before the newest one would vanish silently.
        .option("maxFileAge", "3650d")
    )
    if location.is_folder:
        reader = reader.option("pathGlobFilter", _FILE_NAMES)
    return reader.load(location.path).select("path", "modificationTime", "length")


def build_files(batch_files: DataFrame, broken: Mapping[str, str], batch: int) -> DataFrame:
    """The files of one batch, each with its problem if it has one.

    Grain: one file.
    """
    problem = F.lit(None).cast("string")
    for path, reason in broken.items():
        problem = F.when(F.col("path") == path, reason).otherwise(problem)
    return conform(
        batch_files.select(
            F.col("path").alias("source_file"),
            F.col("length").alias("size_bytes"),
            F.col("modificationTime").alias("modified_ts"),
            problem.alias("problem"),
            F.lit(batch).cast("long").alias("ingest_batch"),
        ),
        FILES,
    )


def find_changed_files(read_files: DataFrame, location: Location) -> DataFrame:
    """The files of the location whose size or time differ from when they were read.

    Grain: one file; column `source_file`.
    """
    listed = read_files.sparkSession.createDataFrame(
        [
            (path, size, datetime.fromtimestamp(millis / 1000, tz=UTC))
            for path, size, millis in location.files
        ],
        "source_file string, size_now long, modified_now timestamp",
    )
    is_changed = (F.col("size_now") != F.col("size_bytes")) | (
        F.col("modified_now") != F.col("modified_ts")
    )
    return read_files.join(listed, "source_file", "inner").filter(is_changed).select("source_file")


def _walk(file_system: Any, path: Any) -> Iterator[tuple[str, int, int]]:
    walker = file_system.listFiles(path, True)
    while walker.hasNext():
        status = walker.next()
        if not status.getPath().getName().startswith(("_", ".")):
            yield status.getPath().toString(), status.getLen(), status.getModificationTime()
