"""Files read and written by Spark, for storage that Python doesn't reach: the same rows."""

from __future__ import annotations

from collections.abc import Mapping
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
    has_all_bytes,
    read_lines,
)
from churn_spark.events.readings import build_files
from churn_spark.events.spark_blocks import SparkBlocks
from churn_spark.events.user_ids import UserIds
from churn_spark.lakehouse.byte_ranges import is_compressed
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
    batch = _without(batch, find_missing_files(spark, _paths(batch)))
    damaged: dict[str, str] = {}
    try:
        readable = read_lines(spark, _paths(batch))
        lines = _write(lakehouse, config, n_buckets, users, batch, readable)
    except (PySparkException, Py4JJavaError):
        broken = find_broken_files(spark, _paths(batch))
        if not broken:
            raise
        # Any bytes are lines, so a plain file can't be damaged: its storage fails, or refuses.
        damaged = {
            path: reason
            for path, reason in broken.items()
            if is_compressed(path) and has_all_bytes(spark, path)
        }
        batch = _without(batch, {path: broken[path] for path in broken.keys() - damaged.keys()})
        whole = read_lines(spark, [path for path in _paths(batch) if path not in damaged])
        readable = whole.union(read_lines(spark, [*damaged], up_to_damage=True))
        lines = _write(lakehouse, config, n_buckets, users, batch, readable)
    for spec in (EVENTS, QUARANTINE):
        ingest_batch.withdraw(lakehouse, spec, batch)
    rows = build_files(batch.files, damaged, batch.number).rows()
    lakehouse.append(spark.createDataFrame(rows, struct_of(FILES)), FILES, batch.once(FILES))
    return replace(batch, lines=lines, broken=damaged)


def _paths(batch: PendingBatch) -> list[str]:
    """Of the files that it reads."""
    return [note.path for note in batch.read]


def _without(batch: PendingBatch, problems: Mapping[str, str]) -> PendingBatch:
    """The batch, without reading the files that have a problem: a later run reads them."""
    notes = [
        note.unread(problems[note.path]) if note.path in problems else note for note in batch.files
    ]
    return replace(batch, files=notes)


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
