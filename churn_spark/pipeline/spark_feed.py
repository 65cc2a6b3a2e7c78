"""Files read and written by Spark, for storage that Python doesn't reach: the same rows."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame

from churn_spark.config import IngestConfig
from churn_spark.contracts.tables import EVENTS, FILES, QUARANTINE
from churn_spark.events.lines import (
    bytes_before_lines,
    find_broken_files,
    find_missing_files,
    read_lines,
)
from churn_spark.events.readings import build_files
from churn_spark.events.spark_blocks import SparkBlocks
from churn_spark.events.user_ids import UserIds
from churn_spark.lakehouse.schema import struct_of
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.pipeline import ingest_batch
from churn_spark.pipeline.ingest_batch import PendingBatch
from churn_spark.pipeline.quarantine import utc_today

_NO_REASONS: Final = ("accepted", "anonymous", "erased")
"""What becomes of lines that aren't rejected."""


def load_by_spark(
    lakehouse: Lakehouse,
    config: IngestConfig,
    n_buckets: int,
    users: UserIds,
    batch: PendingBatch,
) -> PendingBatch:
    """Read the files of a batch and write their rows; what was done before isn't done again.

    Returns:
        The batch, with the account of its lines.
    """
    spark = lakehouse.spark
    missing = find_missing_files(spark, [note.path for note in batch.read])
    notes = [
        note.unread(missing[note.path]) if note.path in missing else note for note in batch.files
    ]
    batch = replace(batch, files=notes)
    paths = [note.path for note in batch.read]
    broken: dict[str, str] = {}
    try:
        lines = _write(lakehouse, config, n_buckets, users, batch, read_lines(spark, paths))
    except (PySparkException, Py4JJavaError):
        broken = find_broken_files(spark, paths)
        if not broken:
            raise
        readable = read_lines(spark, paths, up_to_damage=True)
        lines = _write(lakehouse, config, n_buckets, users, batch, readable)
    for spec in (EVENTS, QUARANTINE):
        ingest_batch.withdraw(lakehouse, spec, batch)
    rows = build_files(batch.files, broken, batch.number).rows()
    lakehouse.append(spark.createDataFrame(rows, struct_of(FILES)), FILES, batch.once(FILES))
    return replace(batch, lines=lines, broken=broken)


def _write(
    lakehouse: Lakehouse,
    config: IngestConfig,
    n_buckets: int,
    users: UserIds,
    batch: PendingBatch,
    lines: DataFrame,
) -> dict[str, int]:
    blocks = SparkBlocks.of(lines, config, n_buckets, users, batch.number, utc_today())
    blocks.rows.persist()
    try:
        counts = dict(blocks.count_lines())
        lakehouse.append(blocks.events, EVENTS, batch.once(EVENTS))
        if counts.get("read", 0) > sum(counts.get(name, 0) for name in _NO_REASONS):
            starts = {
                path: bytes_before_lines(lakehouse.spark, path)
                for path in blocks.files_with_rejected
            }
            lakehouse.append(blocks.rejected(starts), QUARANTINE, batch.once(QUARANTINE))
    finally:
        blocks.rows.unpersist()
    return counts
