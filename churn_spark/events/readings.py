"""What is to be read of which input file: decided by how it is listed and what is noted of it.

A plain file that has only grown is read on from where it ended, a compressed one once more in the
place of what it had delivered. Whether a file has only grown is told by a hash of what was read. A
file that was changed otherwise is noted as such, and read again only where that is asked for: what
it had delivered may be all that is left of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final, Literal

import polars as pl
import pyarrow as pa

from churn_spark.contracts.tables import FILES
from churn_spark.events.files import ListedFile
from churn_spark.lakehouse.byte_ranges import is_compressed
from churn_spark.lakehouse.polars_schema import polars_schema_of

Status = Literal["read", "read on", "read again", "unchanged", "changed", "unread"]
Reload = Literal["changed", "all"]
Prove = Callable[[str, int], str | None]
"""Path of a file and a number of bytes -> hash of its first bytes; none where it can't be reached.

It raises what opening a file does that is gone, or may not be read.
"""

_READINGS: Final = frozenset({"read", "read on", "read again"})
NOT_LOADED: Final = ("changed", "unread")
"""Statuses of a file that is not in the tables as it is now."""


@dataclass(frozen=True)
class FileNote:
    """What a batch does about an input file: a row of the table `FILES`.

    Attributes:
        path: as listed.
        size_bytes: as listed; of what is read, the end.
        modified: as listed, milliseconds since the epoch.
        status: whether it is read, and how.
        begin: first byte that is read.
        go_on_at: first byte to read if the file grows; none where that isn't known.
        proof: hash that tells whether these bytes have stayed the same; none where it isn't known.
        problem: why it can't be read at all.
    """

    path: str
    size_bytes: int
    modified: int
    status: Status = "read"
    begin: int = 0
    go_on_at: int | None = None
    proof: str | None = None
    problem: str | None = None

    @property
    def is_read(self) -> bool:
        """Whether the batch reads it."""
        return self.status in _READINGS

    def unread(self, problem: str) -> FileNote:
        """The same file where it can't be opened."""
        return replace(self, status="unread", problem=problem)

    def describes(self, file: ListedFile) -> bool:
        """Whether the file is listed as it was then."""
        return (self.size_bytes, self.modified) == (file.size_bytes, file.modified)


@dataclass(frozen=True)
class KnownFile:
    """What the table `FILES` says of a file.

    Attributes:
        newest: the newest note.
        reading: the newest one of a batch that has read it; the newest if none has.
    """

    newest: FileNote
    reading: FileNote


@dataclass(frozen=True)
class ReadingRules:
    """What decides beside the files.

    Attributes:
        settled_by: files that were modified later than this may still be written; milliseconds
            since the epoch.
        now: the same unit; a file from the future has a wrong clock, and is old enough.
        reads_on: whether a reader is there that can begin in the middle of a file.
        reload: which files that were read are read again; none by itself.
        is_doubtful: whether the tables disagree about which batches there were: then what is read
            as new takes the place of whatever it had delivered.
    """

    settled_by: int
    now: int
    reads_on: bool = True
    reload: Reload | None = None
    is_doubtful: bool = False


@dataclass(frozen=True)
class Plan:
    """What a run does about the files of a location.

    Attributes:
        notes: of the files that are to be read, and of those that were changed since.
        young: paths of files that may still be written: they are left for the next run.
        changed: paths of files that differ from what was read of them, and stay so.
        refused: path of a file that is listed otherwise than it was -> why nobody can look how it
            differs: it is left for the next run.
    """

    notes: Sequence[FileNote]
    young: Sequence[str]
    changed: Sequence[str]
    refused: Mapping[str, str] = field(default_factory=dict)


def known_files(rows: pa.Table) -> dict[str, KnownFile]:
    """Path -> what is known of the file, from rows of the table `FILES`."""
    newest: dict[str, FileNote] = {}
    readings: dict[str, FileNote] = {}
    ordered = pl.DataFrame(rows).sort("ingest_batch")
    for row in ordered.with_columns(pl.col("modified_ts").dt.epoch("ms")).iter_rows(named=True):
        note = FileNote(
            row["source_file"],
            row["size_bytes"],
            row["modified_ts"],
            # Rows of an older release say nothing of it: they were all read.
            row["status"] or "read",
            row["read_from"] or 0,
            row["go_on_at"],
            row["proof"],
            row["problem"],
        )
        newest[note.path] = note
        if note.is_read or note.status == "unchanged":
            readings[note.path] = note
    return {path: KnownFile(note, readings.get(path, note)) for path, note in newest.items()}


def plan_readings(
    files: Iterable[ListedFile], known: Mapping[str, KnownFile], prove: Prove, rules: ReadingRules
) -> Plan:
    """Decide for each file whether it is read, from where, and in place of what.

    Args:
        files: as listed.
        known: path -> what is noted of it.
        prove: asked for files that are listed otherwise than they were.
        rules: what decides beside.
    """
    notes, young, changed = [], [], []
    refused: dict[str, str] = {}
    for file in files:
        told = known.get(file.path)
        if told and told.newest.describes(file) and not _is_wanted(told, rules):
            if told.newest.status == "changed":
                changed.append(file.path)
            continue
        if told is None and not file.size_bytes:
            # Made, and not yet written: it waits until it has lines.
            continue
        if rules.settled_by < file.modified <= rules.now:
            young.append(file.path)
            continue
        try:
            note = _decide(file, told, prove, rules)
        except (FileNotFoundError, PermissionError) as error:
            refused[file.path] = str(error)
            continue
        notes.append(note)
        if note.status == "changed":
            changed.append(file.path)
    return Plan(notes, young, changed, refused)


def build_files(notes: Iterable[FileNote], broken: Mapping[str, str], batch: int) -> pl.DataFrame:
    """The rows of one batch.

    Grain: one file.

    Args:
        notes: of the batch.
        broken: path of a file that was read -> why not to its end.
        batch: its number.
    """
    rows = [
        (
            note.path,
            note.size_bytes,
            datetime.fromtimestamp(note.modified / 1000, tz=UTC),
            note.status,
            broken.get(note.path, note.problem),
            note.begin,
            note.go_on_at,
            note.proof,
            batch,
        )
        for note in notes
    ]
    return pl.DataFrame(rows, schema=polars_schema_of(FILES), orient="row")


def _is_wanted(told: KnownFile, rules: ReadingRules) -> bool:
    """Whether a file that is listed as it was is to be read again."""
    if told.newest.status == "unread" or rules.reload == "all":
        return True
    return rules.reload == "changed" and told.newest.status == "changed"


def _decide(
    file: ListedFile, told: KnownFile | None, prove: Prove, rules: ReadingRules
) -> FileNote:
    note = FileNote(file.path, file.size_bytes, file.modified)
    again = replace(note, status="read again")
    if told is None:
        return again if rules.is_doubtful else note
    if told.newest.status == "unread" or rules.reload == "all":
        return again
    before = told.reading
    if _has_only_grown(file, before, prove):
        if file.size_bytes == before.size_bytes:
            return replace(
                before, modified=file.modified, status="unchanged", begin=file.size_bytes
            )
        if before.go_on_at is None or is_compressed(file.path) or not rules.reads_on:
            return again
        return replace(note, status="read on", begin=before.go_on_at)
    if rules.reload == "changed":
        return again
    return replace(note, status="changed", begin=file.size_bytes)


def _has_only_grown(file: ListedFile, before: FileNote, prove: Prove) -> bool:
    """Whether the file begins with all that was read of it, byte by byte."""
    if before.proof is None or file.size_bytes < before.size_bytes:
        return False
    return prove(file.path, before.size_bytes) == before.proof
