"""JSON event logs -> bronze `events`, `quarantine` and `files`, each file exactly once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from churn_spark.config import IngestConfig
from churn_spark.contracts.tables import EVENTS, FILES, QUARANTINE
from churn_spark.contracts.tables.table import BUCKETS
from churn_spark.errors import InputError, OldTableError
from churn_spark.events.files import ListedFile, list_location
from churn_spark.events.summary import BatchFacts, IngestSummary
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.pipeline import ingest_batch, native_feed
from churn_spark.pipeline.console import warn
from churn_spark.pipeline.ingest_batch import PendingBatch
from churn_spark.pipeline.ingest_progress import IngestProgress
from churn_spark.pipeline.quarantine import remove_expired, remove_raw_lines, utc_today
from churn_spark.pipeline.spark_feed import load_by_spark
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
        InputError: if there is no file at all, or the one way to read them can't.
        OldTableError: if the events were loaded by a release that didn't cut them by user.
    """
    with USE_CASE.start(lakehouse) as facts:
        listed = list_location(lakehouse.spark, location or config.events)
        loader = _Loader(lakehouse, config, _prepare_tables(lakehouse, config))
        finished = loader.finish_pending()
        known = lakehouse.read_rows(FILES)
        started = loader.load_all(listed.new_files(known), loader.next_number(known))
        remove_expired(lakehouse, config.quarantine_days, utc_today())
        known = lakehouse.read_rows(FILES)
        summary = IngestSummary([*finished, *started], listed.changed_files(known), listed.ignored)
        facts.append(summary.describe())
    for warning in summary.warnings():
        warn(warning)
    return summary


def _prepare_tables(lakehouse: Lakehouse, config: IngestConfig) -> int:
    """Create the tables that are missing; returns the number of the events' buckets."""
    remove_raw_lines(lakehouse)
    there = [spec for spec in USE_CASE.writes if lakehouse.exists(spec)]
    if len(there) < len(USE_CASE.writes):
        # What waited for its commit went with the table that is gone.
        ingest_batch.forget_pending(lakehouse)
    for spec in USE_CASE.writes:
        if spec not in there:
            lakehouse.create(replace(spec, n_buckets=config.buckets) if spec is EVENTS else spec)
    n_buckets = lakehouse.properties(EVENTS).get(BUCKETS)
    if n_buckets is None:
        raise OldTableError(
            f"found {EVENTS.path} in {lakehouse.root} as an older release has made it, expected "
            "events cut into buckets by their user: load the logs into a new lakehouse"
        )
    return int(n_buckets)


class _Loader:
    """What all batches of a run have in common."""

    def __init__(self, lakehouse: Lakehouse, config: IngestConfig, n_buckets: int) -> None:
        self._lakehouse, self._config, self._n_buckets = lakehouse, config, n_buckets

    def finish_pending(self) -> list[BatchFacts]:
        """Finish the batch that an earlier run has decided on, if there is one."""
        pending = ingest_batch.read_pending(self._lakehouse)
        return [] if pending is None else [self._finish(pending)]

    def next_number(self, known: pd.DataFrame) -> int:
        """A batch number that no commit and no row has."""
        taken = [ingest_batch.last_number(self._lakehouse, spec) for spec in USE_CASE.writes]
        return 1 + max(int(known["ingest_batch"].max()) if len(known) else -1, *taken)

    def load_all(self, files: Sequence[ListedFile], number: int) -> list[BatchFacts]:
        """Load files in batches, in their order.

        Raises:
            InputError: if they are to be read natively and can't.
        """
        if not files:
            return []
        is_native = self._is_native(files)
        progress = IngestProgress(USE_CASE.name, sum(file.size_bytes for file in files))
        n_files = self._config.max_files_per_batch
        done = []
        with progress.shown():
            for start in range(0, len(files), n_files):
                chosen = files[start : start + n_files]
                if is_native:
                    batch = native_feed.load_natively(
                        self._lakehouse, self._config, self._n_buckets, chosen, number, progress
                    )
                else:
                    batch = PendingBatch(number, chosen, {}, {}, None)
                ingest_batch.write_pending(self._lakehouse, batch)
                done.append(self._finish(batch))
                if not is_native:
                    progress.add(sum(f.size_bytes for f in chosen), done[-1].lines.get("read", 0))
                number += 1
        return done

    def _finish(self, batch: PendingBatch) -> BatchFacts:
        if batch.added is None:
            batch = load_by_spark(self._lakehouse, self._config, self._n_buckets, batch)
        else:
            ingest_batch.commit(self._lakehouse, batch)
        ingest_batch.forget_pending(self._lakehouse)
        return batch.facts

    def _is_native(self, files: Sequence[ListedFile]) -> bool:
        if self._config.reader == "spark":
            return False
        can = native_feed.can_read(files) and self._lakehouse.takes_commits(USE_CASE.writes)
        if self._config.reader == "native" and not can:
            raise InputError(
                f"found ingest.reader native, and {files[0].path} or {self._lakehouse.root} is "
                "where only Spark reads or writes; expected storage that Python reaches: "
                "leave it at auto"
            )
        return can
