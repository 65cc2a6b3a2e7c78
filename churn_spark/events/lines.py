"""Files -> lines, read by Spark; and which files can't be read to their end."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from churn_spark.lakehouse.byte_ranges import BYTE_ORDER_MARK, is_compressed
from churn_spark.lakehouse.location import escape_glob


def read_lines(
    spark: SparkSession, paths: Sequence[str], *, up_to_damage: bool = False
) -> DataFrame:
    """The lines of plain or gzip files, as their line feeds part them.

    A byte-order mark at the start of a file and the line feeds are taken off. Lines of one part of
    a file are together and in order.

    Returns:
        `value` (their bytes), `source_file` (as an URI) and `part_offset` (of the part of the
        file that a task reads).

    Args:
        spark: the session.
        paths: as listed; characters that are special in globs are taken literally.
        up_to_damage: give the whole lines before a damaged spot instead of failing there.
    """
    if not paths:
        return spark.createDataFrame([], "value binary, source_file string, part_offset bigint")
    return (
        spark.read.option("ignoreCorruptFiles", up_to_damage)
        .option("ignoreMissingFiles", up_to_damage)
        # With other line ends taken off too, nobody could say how long they were.
        .option("lineSep", "\n")
        .text([escape_glob(path) for path in paths])
        .select(
            F.col("value").cast("binary").alias("value"),
            F.col("_metadata.file_path").alias("source_file"),
            F.col("_metadata.file_block_start").alias("part_offset"),
        )
    )


def bytes_before_lines(spark: SparkSession, path: str) -> int:
    """Bytes of a file, or of what it unpacks to, before its first line: of a byte-order mark."""
    jvm: Any = spark._jvm
    name = jvm.org.apache.hadoop.fs.Path(path)
    try:
        stream = name.getFileSystem(spark._jsc.hadoopConfiguration()).open(name)
        if is_compressed(path):
            stream = jvm.java.util.zip.GZIPInputStream(stream)
        begin = bytes(stream.readNBytes(len(BYTE_ORDER_MARK)))
        stream.close()
    except Py4JJavaError:
        # Damaged there, or gone: lines of it were read all the same.
        return 0
    return len(begin) if begin == BYTE_ORDER_MARK else 0


def find_missing_files(spark: SparkSession, paths: Sequence[str]) -> dict[str, str]:
    """The files that are gone, each with what is to be said of it."""
    jvm: Any = spark._jvm
    hadoop_path, configuration = jvm.org.apache.hadoop.fs.Path, spark._jsc.hadoopConfiguration()
    found = [(path, hadoop_path(path)) for path in paths]
    return {
        path: "it is gone" for path, at in found if not at.getFileSystem(configuration).exists(at)
    }


def has_all_bytes(spark: SparkSession, path: str) -> bool:
    """Whether the storage gives all bytes of a file, whatever they are.

    Where it does, a file that can't be read is damaged; where it doesn't, it may next time.
    """
    jvm: Any = spark._jvm
    name = jvm.org.apache.hadoop.fs.Path(path)
    try:
        stream = name.getFileSystem(spark._jsc.hadoopConfiguration()).open(name)
        try:
            stream.transferTo(jvm.java.io.OutputStream.nullOutputStream())
        finally:
            stream.close()
    except (PySparkException, Py4JJavaError):
        return False
    return True


def find_broken_files(spark: SparkSession, paths: Sequence[str]) -> dict[str, str]:
    """The files that can't be read to their end, each with the reason.

    Reads each file whole; meant for the batch that has just failed.
    """
    broken = {}
    for path in paths:
        try:
            read_lines(spark, [path]).agg(F.max(F.length("value"))).collect()
        except (PySparkException, Py4JJavaError) as error:
            broken[path] = _innermost_cause(str(error))
    return broken


def _innermost_cause(trace: str) -> str:
    """`java.io.EOFException: Unexpected end of input stream` out of a Spark stack trace."""
    causes = re.findall(r"\b(?:\w+\.)+(\w+(?:Exception|Error))(?::[ \t]*([^\n]*))?", trace)
    named = [cause for cause in causes if not cause[0].startswith(("Spark", "Py4J"))]
    name, text = named[-1] if named else (trace.strip().splitlines()[0], "")
    return f"{text} ({name})" if text else name
