"""JSON event logs -> bronze `events`, `quarantine` and `files`, each file exactly once."""

from __future__ import annotations

import json

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, Observation

from churn_spark.config import IngestConfig
from churn_spark.contracts.tables import EVENTS, FILES, QUARANTINE
from churn_spark.events.clean import build_events, build_quarantine, classify_records, count_lines
from churn_spark.events.files import build_files, find_changed_files, list_location, stream_files
from churn_spark.events.lines import find_broken_files, read_lines
from churn_spark.events.parse import parse_lines
from churn_spark.events.summary import BatchFacts, IngestSummary
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.pipeline.console import warn
from churn_spark.pipeline.use_case import UseCase

USE_CASE = UseCase(
    "ingest_events",
    "each file exactly once; every line accepted, anonymous or quarantined with a reason",
    writes=(FILES, EVENTS, QUARANTINE),
    takes=("your files",),
)


def run(lakehouse: Lakehouse, config: IngestConfig, location: str | None = None) -> IngestSummary:
    """Load what is new at a folder, file or glob and say what became of every line.

    Args:
        lakehouse: to load into.
        config: of the ingest.
        location: where the files are; `ingest.events` where none is given.

    Raises:
        InputError: if there is no file at all.
    """
    with USE_CASE.start(lakehouse) as facts:
        listed = list_location(lakehouse.spark, location or config.events)
        for spec in USE_CASE.writes:
            lakehouse.create(spec)
        checkpoint = lakehouse.checkpoint("ingest_events")
        batches: list[BatchFacts] = []

        def load(files: DataFrame, batch: int) -> None:
            # A new checkpoint has a new id, so its batch 0 is never taken for an old one.
            metadata = lakehouse.spark.read.text(f"{checkpoint}/metadata").collect()[0].value
            writer = json.loads(metadata)["id"]
            batches.append(load_batch(lakehouse, config, files, writer, batch))

        (
            stream_files(lakehouse.spark, listed, config.max_files_per_batch)
            .writeStream.foreachBatch(load)
            .option("checkpointLocation", checkpoint)
            .trigger(availableNow=True)
            .start()
            .awaitTermination()
        )
        changed = find_changed_files(lakehouse.read(FILES), listed).collect()
        summary = IngestSummary(batches, [row.source_file for row in changed], listed.ignored)
        facts.append(summary.describe())
    for warning in summary.warnings():
        warn(warning)
    return summary


def load_batch(
    lakehouse: Lakehouse, config: IngestConfig, files: DataFrame, writer: str, batch: int
) -> BatchFacts:
    """Write one batch of files to the three tables; a batch that is repeated writes nothing.

    The files' names come to the driver: at most `ingest.max_files_per_batch`.
    """
    paths = [row.path for row in files.collect()]
    broken: dict[str, str] = {}
    try:
        lines = _write_lines(lakehouse, config, read_lines(lakehouse.spark, paths), writer, batch)
    except (PySparkException, Py4JJavaError):
        broken = find_broken_files(lakehouse.spark, paths)
        if not broken:
            raise
        readable = read_lines(lakehouse.spark, paths, up_to_damage=True)
        lines = _write_lines(lakehouse, config, readable, writer, batch)
    lakehouse.append(build_files(files, broken, batch), FILES, writer=writer, batch=batch)
    return BatchFacts(len(paths), lines, broken)


def _write_lines(
    lakehouse: Lakehouse, config: IngestConfig, lines: DataFrame, writer: str, batch: int
) -> dict[str, int]:
    classified = classify_records(parse_lines(lines, config.max_line_bytes), config)
    counts = Observation()
    events = build_events(classified.observe(counts, *count_lines()), batch)
    is_new = lakehouse.append(events, EVENTS, writer=writer, batch=batch)
    # A batch repeated after a crash isn't written again, so nothing was observed: count apart.
    facts = counts.get if is_new else classified.agg(*count_lines()).collect()[0].asDict()
    if facts["read"] > facts["accepted"] + facts["anonymous"]:
        rejected = build_quarantine(classified, batch, config.quarantined_chars)
        lakehouse.append(rejected, QUARANTINE, writer=writer, batch=batch)
    return {name: int(n) for name, n in facts.items()}
