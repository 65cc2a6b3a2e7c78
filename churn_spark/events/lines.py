"""Files -> lines, read by Spark; and which files can't be read to their end."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from churn_spark.events.files import escape_glob


def read_lines(
    spark: SparkSession, paths: Sequence[str], *, up_to_damage: bool = False
) -> DataFrame:
    """The lines of plain or gzip files: `value` (their bytes) and `source_file` (as an URI).

    A byte-order mark and the line ends (LF or CRLF) are taken off.

    Args:
        spark: the session.
        paths: as listed; characters that are special in globs are taken literally.
        up_to_damage: give the whole lines before a damaged spot instead of failing there.
    """
    if not paths:
        return spark.createDataFrame([], "value binary, source_file string")
    lines = (
        spark.read.option("ignoreCorruptFiles", up_to_damage)
        .option("ignoreMissingFiles", up_to_damage)
        .text([escape_glob(path) for path in paths])
        .select(
            F.col("value").cast("binary").alias("value"),
            F.col("_metadata.file_path").alias("source_file"),
        )
    )
    # A gzip file is one task however large it is; parsing costs more than moving the lines.
    n_tasks = spark.sparkContext.defaultParallelism
    is_one_task_each = all(path.endswith(".gz") for path in paths)
    return lines.repartition(n_tasks) if is_one_task_each and len(paths) < n_tasks else lines


def find_missing_files(spark: SparkSession, paths: Sequence[str]) -> dict[str, str]:
    """The files that are gone, each with what is to be said of it."""
    jvm: Any = spark._jvm
    hadoop_path, configuration = jvm.org.apache.hadoop.fs.Path, spark._jsc.hadoopConfiguration()
    found = [(path, hadoop_path(path)) for path in paths]
    return {
        path: "it is gone" for path, at in found if not at.getFileSystem(configuration).exists(at)
    }


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
