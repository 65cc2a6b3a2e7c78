"""Files read and written by Python: by the driver where they are small, else by Spark's tasks."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Final

from churn_spark.config import IngestConfig
from churn_spark.contracts.tables import EVENTS, FILES, QUARANTINE
from churn_spark.events.files import ListedFile
from churn_spark.events.foreign.kinds import is_read_whole
from churn_spark.events.load import PART_BYTES, Loaded, LoadTask, load_parts
from churn_spark.events.readings import FileNote, build_files
from churn_spark.events.user_ids import UserIds
from churn_spark.lakehouse.byte_ranges import ByteRange, split_files
from churn_spark.lakehouse.data_files import write_data_files
from churn_spark.lakehouse.location import object_store_settings
from churn_spark.lakehouse.native_sources import is_reachable
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.pipeline.ingest_batch import PendingBatch
from churn_spark.pipeline.ingest_progress import IngestProgress
from churn_spark.pipeline.quarantine import utc_today

_TASK_BYTES: Final = 512 << 20
"""Of JSON in one task: its files hold some days of the log, so that a range of dates prunes."""
_GZIP_RATIO: Final = 10


def load_natively(
    lakehouse: Lakehouse,
    config: IngestConfig,
    n_buckets: int,
    users: UserIds,
    files: Sequence[FileNote],
    number: int,
    progress: IngestProgress,
) -> PendingBatch:
    """Write what files hold; the batch then waits for its commits.

    The files' names come to the driver: at most `ingest.max_files_per_batch`.
    """
    options = lakehouse.storage_options
    tables = {spec.path: lakehouse.uri(spec) for spec in (EVENTS, QUARANTINE)}
    task = LoadTask(config, n_buckets, number, utc_today(), tables, options, users)
    parts = split_files(
        [(note.path, note.begin, note.size_bytes) for note in files if note.is_read],
        PART_BYTES,
        lambda path: is_read_whole(path, config.mapping),
    )
    if sum(map(_weight, parts)) <= config.max_driver_bytes:
        loaded = load_parts(parts, task, progress.add)
    else:
        loaded = _load_by_tasks(lakehouse, parts, task, progress)
    notes = [
        note.unread(loaded.unread[note.path]) if note.path in loaded.unread else note
        for note in files
    ]
    rows = build_files(notes, loaded.broken, number)
    noted = write_data_files(rows, FILES, lakehouse.uri(FILES), options)
    return PendingBatch(
        number, notes, loaded.broken, loaded.lines, {**loaded.files, FILES.path: noted}
    )


def can_read(files: Sequence[ListedFile | FileNote]) -> bool:
    """Whether Python reads all of the files."""
    return all(is_reachable(file.path) for file in files)


def deal_parts(parts: Sequence[ByteRange], n_cores: int) -> list[list[ByteRange]]:
    """The parts dealt to tasks: neighbours together, about the same work for each.

    The tasks are a multiple of the cores, so that no core has one more than another.
    """
    total = sum(map(_weight, parts))
    n_rounds = max(1, -(-total // (_TASK_BYTES * n_cores)))
    n_tasks = min(len(parts), n_rounds * n_cores)
    hands: list[list[ByteRange]] = [[] for _ in range(n_tasks)]
    before = 0
    for part in parts:
        # By the middle of the part, so that no task takes what is nearly all another's.
        hands[min(n_tasks - 1, (2 * before + _weight(part)) * n_tasks // (2 * total))].append(part)
        before += _weight(part)
    return [hand for hand in hands if hand]


def _load_by_tasks(
    lakehouse: Lakehouse, parts: Sequence[ByteRange], task: LoadTask, progress: IngestProgress
) -> Loaded:
    context = lakehouse.spark.sparkContext
    hands = deal_parts(parts, context.defaultParallelism)
    n_bytes, n_lines = context.accumulator(0), context.accumulator(0)
    settings = object_store_settings()

    def note(more_bytes: int, more_lines: int) -> None:
        n_bytes.add(more_bytes)
        n_lines.add(more_lines)

    def load(hand: Sequence[ByteRange]) -> Loaded:
        os.environ.update(settings)
        return load_parts(hand, task, note)

    with progress.following(lambda: (n_bytes.value, n_lines.value)):
        return Loaded.sum_of(context.parallelize(hands, len(hands)).map(load).collect())


def _weight(part: ByteRange) -> int:
    """Bytes of JSON, roughly."""
    return part.length * (_GZIP_RATIO if part.is_compressed else 1)
