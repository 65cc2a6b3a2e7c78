"""One batch of files on its way into bronze: fixed before the first commit, so done once.

A batch is written down beside the tables before any of them takes it: its files, and what the
commits will add. Killed before that, nothing has happened; killed later, the next run commits what
was written down, whatever has become of the input meanwhile.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from deltalake.transaction import AddAction

from churn_spark.contracts.tables import EVENTS, FILES, QUARANTINE, TableSpec
from churn_spark.events.readings import FileNote
from churn_spark.events.summary import BatchFacts
from churn_spark.lakehouse.commits import Once, append_files
from churn_spark.lakehouse.data_files import are_there
from churn_spark.lakehouse.selection import Between, Where
from churn_spark.lakehouse.tables import Lakehouse

WRITER: Final = "ingest_events"
_PENDING: Final = f"_checkpoints/{WRITER}/pending.json"
TABLES: Final = (EVENTS, QUARANTINE, FILES)
"""In the order of the commits: the files come last, so that a file is known when all is there."""


@dataclass(frozen=True)
class PendingBatch:
    """A batch that is decided on.

    Attributes:
        number: of the batch.
        files: what it does about each.
        broken: file -> why it can't be read to its end.
        lines: what became of the lines -> how many.
        added: path of a table -> data files that are written and wait for their commit; none
            where Spark is to read the files and write the rows.
        tables: path of a table -> its id, of those that it was decided on for.
    """

    number: int
    files: Sequence[FileNote]
    broken: Mapping[str, str]
    lines: Mapping[str, int]
    added: Mapping[str, Sequence[AddAction]] | None
    tables: Mapping[str, str] = field(default_factory=dict)

    @property
    def facts(self) -> BatchFacts:
        """What the summary says of it."""
        return BatchFacts(self.files, self.lines, self.broken)

    @property
    def read(self) -> list[FileNote]:
        """The files that it reads."""
        return [note for note in self.files if note.is_read]

    @property
    def replaced(self) -> list[str]:
        """Paths of the files whose rows of earlier batches go."""
        return [note.path for note in self.files if note.status == "read again"]

    def once(self, spec: TableSpec) -> Once:
        """The name of its commit to a table."""
        return Once(f"{WRITER}/{spec.name}", self.number)


def write_pending(lakehouse: Lakehouse, batch: PendingBatch) -> None:
    """Decide on a batch: from here on it will be done, by this run or another."""
    content = asdict(batch) | {"tables": _table_ids(lakehouse)}
    lakehouse.files.exchange(_PENDING, json.dumps(content).encode())


def read_pending(lakehouse: Lakehouse) -> PendingBatch | None:
    """The batch that an earlier run has decided on and not finished, if there is one."""
    content = lakehouse.files.read(_PENDING)
    if content is None:
        return None
    told: dict[str, Any] = json.loads(content)
    added = told["added"]
    return PendingBatch(
        told["number"],
        [FileNote(**one) for one in told["files"]],
        told["broken"],
        told["lines"],
        added and {table: [AddAction(**one) for one in many] for table, many in added.items()},
        told.get("tables", {}),
    )


def can_be_finished(lakehouse: Lakehouse, batch: PendingBatch) -> bool:
    """Whether the tables are those that the batch was decided on for, and have its data files.

    They aren't where a part of the lakehouse was restored, made anew, or removed.
    """
    if not all(map(lakehouse.exists, TABLES)):
        return False
    if batch.tables and batch.tables != _table_ids(lakehouse):
        return False
    return all(
        are_there(files, lakehouse.uri(spec), lakehouse.storage_options)
        for spec in TABLES
        if (files := (batch.added or {}).get(spec.path))
    )


def forget_pending(lakehouse: Lakehouse) -> None:
    """The batch is done, or its tables are gone."""
    lakehouse.files.delete(_PENDING)


def last_number(lakehouse: Lakehouse, spec: TableSpec) -> int:
    """The number of the last batch that a table has taken; -1 where there is none."""
    return lakehouse.last_number(spec, f"{WRITER}/{spec.name}")


def commit(lakehouse: Lakehouse, batch: PendingBatch) -> None:
    """Make the batch's data files part of the tables; what was done before isn't done again."""
    for spec in TABLES:
        files = (batch.added or {}).get(spec.path)
        # The events take each batch, with or without rows: by its number it is known whether they
        # and the files are of one time.
        if files or spec is EVENTS:
            append_files(
                files or (), lakehouse.uri(spec), lakehouse.storage_options, batch.once(spec)
            )
        if spec is not FILES:
            withdraw(lakehouse, spec, batch)
        lakehouse.shorten_log(spec, lakehouse.version(spec))


def withdraw(lakehouse: Lakehouse, spec: TableSpec, batch: PendingBatch) -> None:
    """Remove what earlier batches have delivered of the files that the batch reads again.

    It comes after the new rows: in between an event is there twice, which counts once. Of a file
    that is read on, the end may have been rejected for it was only the start of a line.
    """
    before = Between(last=batch.number - 1)
    if batch.replaced:
        lakehouse.delete_rows(spec, {"source_file": batch.replaced, "ingest_batch": before})
    if spec is QUARANTINE:
        begins = {note.path: note.begin for note in batch.files if note.status == "read on"}
        rejected: Where = {"source_file": begins, "ingest_batch": before}
        for row in lakehouse.collect_rows(spec, rejected, ["source_file", "byte_offset"]):
            if row.byte_offset is not None and row.byte_offset >= begins[row.source_file]:
                of_line = {"source_file": [row.source_file], "byte_offset": [row.byte_offset]}
                lakehouse.delete_rows(spec, {**of_line, "ingest_batch": before})


def _table_ids(lakehouse: Lakehouse) -> dict[str, str]:
    return {spec.path: lakehouse.table_id(spec) for spec in TABLES}
