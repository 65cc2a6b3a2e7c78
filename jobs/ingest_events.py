"""JSON event logs -> bronze `events`, `quarantine` and `files`, each file exactly once."""

from __future__ import annotations

import json
from typing import Annotated

import typer
from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, Observation

from churn_spark import job
from churn_spark.contracts.tables import EVENTS, FILES, QUARANTINE
from churn_spark.events.clean import build_events, build_quarantine, classify_records, count_lines
from churn_spark.events.files import build_files, find_changed_files, list_location, stream_files
from churn_spark.events.lines import find_broken_files, read_lines
from churn_spark.events.parse import parse_lines
from churn_spark.events.summary import BatchFacts, IngestSummary

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    events: Annotated[
        str | None, typer.Option(help="Folder, file or glob; default: ingest.events.")
    ] = None,
    env: job.EnvOption = "local",
    overrides: job.SetOption = None,
    date: job.OptionalDateOption = None,
) -> None:
    """Load the files that are new. A date changes nothing: each line has its own."""
    with job.open_job("ingest_events", env, overrides) as context:
        run(context, events)


def run(context: job.JobContext, events: str | None = None) -> IngestSummary:
    """Load what is new at `events` and say what became of every line.

    Raises:
        InputError: if there is no file at all.
    """
    with job.closing_line("ingest_events") as facts:
        location = list_location(context.spark, events or context.config.ingest.events)
        for spec in (FILES, EVENTS, QUARANTINE):
            context.lakehouse.create(spec)
        checkpoint = context.lakehouse.checkpoint("ingest_events")
        batches: list[BatchFacts] = []

        def load(files: DataFrame, batch: int) -> None:
            # A new checkpoint has a new id, so its batch 0 is never taken for an old one.
            metadata = context.spark.read.text(f"{checkpoint}/metadata").collect()[0].value
            writer = json.loads(metadata)["id"]
            batches.append(load_batch(context, files, writer, batch))

        (
            stream_files(context.spark, location, context.config.ingest.max_files_per_batch)
            .writeStream.foreachBatch(load)
            .option("checkpointLocation", checkpoint)
            .trigger(availableNow=True)
            .start()
            .awaitTermination()
        )
        changed = find_changed_files(context.lakehouse.read(FILES), location).collect()
        summary = IngestSummary(batches, [row.source_file for row in changed], location.ignored)
        facts.append(summary.describe())
    for warning in summary.warnings():
        job.warn(warning)
    return summary


def load_batch(context: job.JobContext, files: DataFrame, writer: str, batch: int) -> BatchFacts:
    """Write one batch of files to the three tables; a batch that is repeated writes nothing.

    The files' names come to the driver: at most `ingest.max_files_per_batch`.
    """
    paths = [row.path for row in files.collect()]
    broken: dict[str, str] = {}
    try:
        lines = _write_lines(context, read_lines(context.spark, paths), writer, batch)
    except (PySparkException, Py4JJavaError):
        broken = find_broken_files(context.spark, paths)
        if not broken:
            raise
        readable = read_lines(context.spark, paths, up_to_damage=True)
        lines = _write_lines(context, readable, writer, batch)
    context.lakehouse.append(build_files(files, broken, batch), FILES, writer=writer, batch=batch)
    return BatchFacts(len(paths), lines, broken)


def _write_lines(
    context: job.JobContext, lines: DataFrame, writer: str, batch: int
) -> dict[str, int]:
    config, lakehouse = context.config.ingest, context.lakehouse
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


if __name__ == "__main__":
    job.main(app)
