"""JSON event logs -> bronze `events`, `quarantine` and `files`, each file exactly once."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from churn_spark.config import IngestConfig, PrivacyConfig
from churn_spark.contracts.tables import ERASED_USERS, EVENTS, FILES, QUARANTINE, TABLES
from churn_spark.errors import InputError
from churn_spark.events.files import ListedFile, Location, list_location
from churn_spark.events.foreign.kinds import ENDINGS, kind_of
from churn_spark.events.foreign.profile import is_file_of
from churn_spark.events.foreign.record import open_profiles
from churn_spark.events.proofs import look_at_files, prove
from churn_spark.events.readings import (
    FileNote,
    Plan,
    ReadingRules,
    Reload,
    build_files,
    known_files,
    plan_readings,
)
from churn_spark.events.seen_before import leave_out_settled
from churn_spark.events.summary import BatchFacts, IngestSummary
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.pipeline import ingest_batch, native_feed
from churn_spark.pipeline.console import warn
from churn_spark.pipeline.heartbeat import describe_tasks
from churn_spark.pipeline.ingest_batch import PendingBatch
from churn_spark.pipeline.ingest_progress import IngestProgress
from churn_spark.pipeline.ingest_tables import prepare_tables, require_fitting
from churn_spark.pipeline.quarantine import remove_expired, utc_today
from churn_spark.pipeline.spark_feed import load_by_spark
from churn_spark.pipeline.use_case import UseCase
from churn_spark.stores.user_ids import read_user_ids
from churn_spark.timeline import MILLIS_PER_MINUTE
from churn_spark.wording import count_of

USE_CASE = UseCase(
    "ingest_events",
    "each file exactly once; every line accepted, not signed in, or rejected with a reason",
    writes=(FILES, EVENTS, QUARANTINE),
    reads_if_there=(ERASED_USERS,),
    takes=("your files",),
)
_OWN_FOLDERS: Final = (*{spec.layer: None for spec in TABLES}, "champion", "mlflow", "reports")
_WHY: Final = {"read": "new", "read on": "grown", "read again": "changed, and read again"}


def run(
    lakehouse: Lakehouse,
    config: IngestConfig,
    location: str | None = None,
    reload: Reload | None = None,
    privacy: PrivacyConfig = PrivacyConfig(),
) -> IngestSummary:
    """Load what is new at a folder, file or glob and say what became of every line.

    Args:
        lakehouse: to load into.
        config: of the ingest.
        location: where the files are; `ingest.events` where none is given.
        reload: which of the files that were read are read again, in place of what they had
            delivered: those that were changed since, or all.
        privacy: under which ids users are kept.

    Raises:
        InputError: if there is no file at all, or the one way to read them can't.
        OldTableError: if the events were loaded by a release that didn't cut them by user.
        LostTableError: if tables that belong together aren't all there.
        ConfigError: if the key of pseudonyms is missing.
        OtherIdsError: if the events keep user ids in another way than is configured.
    """
    with USE_CASE.start(lakehouse, tells_itself=True) as facts:
        with USE_CASE.beating(lakehouse):
            listed = _list(lakehouse, config, location)
            loader = _Loader(lakehouse, config, prepare_tables(lakehouse, config, privacy))
            finished = loader.finish_pending()
            known = lakehouse.read_arrow(FILES)
            plan = loader.plan(listed, known, reload)
        started = loader.load_all(plan.notes, loader.next_number(known))
        remove_expired(lakehouse, config.quarantine_days, utc_today())
        summary = IngestSummary(
            [*finished, *started],
            plan.changed,
            listed.ignored,
            plan.young,
            config.min_age_minutes,
            plan.refused,
        )
        facts.append(summary.describe())
    for warning in summary.warnings():
        warn(warning)
    return summary


def finish_pending(lakehouse: Lakehouse, config: IngestConfig, privacy: PrivacyConfig) -> None:
    """Finish the batch that an ingest which was killed has left, if there is one."""
    _Loader(lakehouse, config, prepare_tables(lakehouse, config, privacy)).finish_pending()


def plan(
    lakehouse: Lakehouse,
    config: IngestConfig,
    location: str | None = None,
    reload: Reload | None = None,
    privacy: PrivacyConfig = PrivacyConfig(),
) -> str:
    """Which files would be read, in words; nothing is.

    Raises:
        InputError: if there is no file at all.
        OldTableError: if the events were loaded by a release that didn't cut them by user.
        LostTableError: if tables that belong together aren't all there.
        ConfigError: if the key of pseudonyms is missing.
        OtherIdsError: if the events keep user ids in another way than is configured.
    """
    require_fitting(lakehouse, privacy)
    listed = _list(lakehouse, config, location)
    loader = _Loader(lakehouse, config, config.buckets)
    pending = ingest_batch.read_pending(lakehouse)
    if pending is not None and not ingest_batch.can_be_finished(lakehouse, pending):
        pending = None
    found = loader.plan(listed, lakehouse.read_arrow(FILES), reload, pending)
    read = [note for note in found.notes if note.is_read]
    kinds = Counter(note.status for note in read)
    parts = [f"{count_of(n, 'file')} {_WHY.get(status, status)}" for status, n in kinds.items()]
    if pending is not None:
        parts.insert(0, "the batch that was begun before")
    size = f"; {sum(map(_size, read)) / 1e6:,.1f} MB" if parts else ""
    parts = parts or ["nothing: no file is new"]
    if found.young:
        parts.append(f"{count_of(len(found.young), 'file')} left for the next run: just changed")
    return f"{', '.join(parts)}{size}"


class _Loader:
    """What all batches of a run have in common."""

    def __init__(self, lakehouse: Lakehouse, config: IngestConfig, n_buckets: int) -> None:
        self._lakehouse, self._config, self._n_buckets = lakehouse, config, n_buckets
        self._users = read_user_ids(lakehouse)
        self._given_up: Sequence[FileNote] = ()

    def finish_pending(self) -> list[BatchFacts]:
        """Finish the batch that an earlier run has decided on, if there is one that can be.

        One whose tables were made anew or restored since is given up: its files aren't noted as
        read, so they are read again.
        """
        pending = ingest_batch.read_pending(self._lakehouse)
        if pending is None:
            return []
        if ingest_batch.can_be_finished(self._lakehouse, pending):
            return [self._finish(pending)]
        warn(
            f"a batch of {count_of(len(pending.files), 'file')} waited for tables that were made "
            f"anew or restored since; the first file is {pending.files[0].path}: those that are "
            "still in the folder are read again"
        )
        ingest_batch.forget_pending(self._lakehouse)
        self._given_up = pending.files
        return []

    def plan(
        self,
        listed: Location,
        known: pa.Table,
        reload: Reload | None,
        pending: PendingBatch | None = None,
    ) -> Plan:
        """What is to be done about each file.

        Args:
            listed: the files.
            known: the table `FILES`.
            reload: which of those that were read are read again.
            pending: a batch that will be finished first: it is taken for done.
        """
        now = time.time_ns() // 1_000_000
        loaded, noted = (
            ingest_batch.last_number(self._lakehouse, spec) for spec in (EVENTS, FILES)
        )
        if pending is not None:
            loaded = noted = pending.number
            told = build_files(pending.files, pending.broken, pending.number)
            known = pl.concat([pl.DataFrame(known), told]).to_arrow()
        if noted > loaded:
            # The events are of an earlier time, so they miss what these batches have read.
            known = known.filter(pc.field("ingest_batch") <= loaded)
        rules = ReadingRules(
            settled_by=now - round(self._config.min_age_minutes * MILLIS_PER_MINUTE),
            now=now,
            reads_on=self._is_native(listed.files),
            reload=reload,
            is_doubtful=noted != loaded,
        )
        # Where all are to be read again, none is settled.
        files = listed.files
        if reload != "all":
            files, known = leave_out_settled(files, known)
        plan = plan_readings(files, known_files(known), prove, rules)
        there = {file.path for file in listed.files}
        lost = [
            note.unread("gone before its batch was finished")
            for note in self._given_up
            if note.path not in there
        ]
        return replace(plan, notes=[*plan.notes, *lost])

    def next_number(self, known: pa.Table) -> int:
        """A batch number that no commit and no row has."""
        taken = [ingest_batch.last_number(self._lakehouse, spec) for spec in USE_CASE.writes]
        return 1 + max(pc.max(known["ingest_batch"]).as_py() or 0 if len(known) else -1, *taken)

    def load_all(self, notes: Sequence[FileNote], number: int) -> list[BatchFacts]:
        """Load files in batches, in their order.

        Raises:
            InputError: if they are to be read natively and can't.
        """
        if not notes:
            return []
        is_native = self._is_native(notes)
        progress = IngestProgress(
            USE_CASE.name,
            sum(map(_size, notes)),
            lambda: describe_tasks(self._lakehouse.spark.sparkContext),
        )
        n_files = self._config.max_files_per_batch
        done = []
        with progress.shown():
            for start in range(0, len(notes), n_files):
                chosen = notes[start : start + n_files]
                if native_feed.can_read(chosen):
                    chosen = look_at_files(chosen, self._config)
                if is_native:
                    batch = native_feed.load_natively(
                        self._lakehouse,
                        self._config,
                        self._n_buckets,
                        self._users,
                        chosen,
                        number,
                        progress,
                    )
                else:
                    batch = PendingBatch(number, chosen, {}, {}, None)
                ingest_batch.write_pending(self._lakehouse, batch)
                done.append(self._finish(batch))
                if not is_native:
                    progress.add(sum(map(_size, chosen)), done[-1].lines.get("read", 0))
                number += 1
        return done

    def _finish(self, batch: PendingBatch) -> BatchFacts:
        if batch.added is None:
            batch = load_by_spark(
                self._lakehouse, self._config, self._n_buckets, self._users, batch
            )
        else:
            ingest_batch.commit(self._lakehouse, batch)
        ingest_batch.forget_pending(self._lakehouse)
        return batch.facts

    def _is_native(self, files: Sequence[ListedFile | FileNote]) -> bool:
        can = native_feed.can_read(files) and self._lakehouse.takes_commits(USE_CASE.writes)
        if self._config.reader == "spark" or not can:
            self._require_lines(files)
        if self._config.reader == "spark":
            return False
        if self._config.reader == "native" and not can:
            raise InputError(
                f"found ingest.reader native, and {files[0].path} or {self._lakehouse.root} is "
                "where only Spark reads or writes; expected storage that Python reaches: "
                "leave it at auto"
            )
        return can

    def _require_lines(self, files: Sequence[ListedFile | FileNote]) -> None:
        """Let pass only files that Spark's reader of lines can part.

        Raises:
            InputError: if there is another kind of file.
        """
        kinds = {file.path: kind_of(file.path, self._config.mapping) for file in files}
        if others := [path for path, kind in kinds.items() if kind != "lines"]:
            raise InputError(
                f"found {others[0]}, which is no file of JSON lines, where only Spark reads or "
                "writes; expected JSON lines there, or storage that Python reaches with "
                "ingest.reader auto"
            )


def _list(lakehouse: Lakehouse, config: IngestConfig, location: str | None) -> Location:
    """The logs of a location, by a mapping others than of JSON, too.

    The lakehouse's own files are none, nor is the mapping's profile.

    Raises:
        InputError: if there is none, or the mapping's profile can't be read.
    """
    profile = config.mapping.profile if config.mapping else None
    if profile:
        # Before a task does, on whatever machine.
        open_profiles(profile)
    others = ENDINGS if config.mapping else ()
    listed = list_location(lakehouse.spark, location or config.events, others)
    # A lakehouse that lies among the logs has files of JSON, too.
    logs = listed.outside(f"{lakehouse.address}/{name}" for name in _OWN_FOLDERS)
    if profile is None:
        return logs
    return replace(logs, files=[one for one in logs.files if not is_file_of(profile, one.path)])


def _size(note: FileNote) -> int:
    """Bytes that are read of the file."""
    return note.size_bytes - note.begin if note.is_read else 0
