"""Log files of the lakehouse itself, from which users were erased: known as they are now."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Final

import polars as pl

from churn_spark.config import IngestConfig
from churn_spark.contracts.tables import FILES
from churn_spark.events.files import ListedFile
from churn_spark.events.proofs import look_at_files, prove
from churn_spark.events.readings import (
    FileNote,
    ReadingRules,
    Status,
    build_files,
    known_files,
    plan_readings,
)
from churn_spark.lakehouse.native_sources import is_reachable
from churn_spark.lakehouse.tables import Lakehouse

_GROWN: Final = "it had grown, or could not be read, when users were erased from it"


def find_due(lakehouse: Lakehouse, paths: Collection[str]) -> dict[str, Status]:
    """Input files that aren't as they were read -> what the next ingest would do about them.

    Asked before they are cleaned: afterwards nobody can tell.

    Args:
        lakehouse: with the files.
        paths: below it; those that no batch has noted are left out.
    """
    files = [ListedFile(*lakehouse.files.listed(path)) for path in paths]
    noted = lakehouse.read_arrow(FILES, {"source_file": [file.path for file in files]})
    known, now = known_files(noted), time.time_ns() // 1_000_000
    # Cleaned, what has grown is read again: where the old part ends can't be told then.
    rules = ReadingRules(settled_by=now, now=now, reads_on=False)
    plan = plan_readings([file for file in files if file.path in known], known, prove, rules)
    again = {note.path for note in plan.notes if note.status == "read again"}
    due: dict[str, Status] = dict.fromkeys([*again, *plan.refused], "read again")
    return due | dict.fromkeys(plan.changed, "changed")


def note_cleaned(
    lakehouse: Lakehouse, paths: Collection[str], due: Mapping[str, Status], config: IngestConfig
) -> None:
    """Note of input files that were read and cleaned since what a later ingest needs of them.

    Otherwise they would count as changed by somebody else, and hold the night.

    Args:
        lakehouse: with the files.
        paths: below it; those that no batch has read are left alone.
        due: of `find_due`.
        config: of the ingest.
    """
    there = [path for path in paths if lakehouse.files.read(path) is not None]
    listed = {found[0]: found for found in map(lakehouse.files.listed, there)}
    noted = pl.DataFrame(lakehouse.read_arrow(FILES, {"source_file": [*listed]}))
    if noted.is_empty():
        return
    newest = noted.sort("ingest_batch").unique("source_file", keep="last", maintain_order=True)
    earlier = noted.join(newest, on=["source_file", "ingest_batch"], how="anti")
    rows = [earlier]
    for path, batch in newest.select("source_file", "ingest_batch").iter_rows():
        note = _note_of(FileNote(*listed[path]), due.get(path, "unchanged"), config)
        rows.append(build_files([note], {}, batch))
    lakehouse.replace_rows(
        pl.concat(rows).to_arrow(), FILES, {"source_file": newest["source_file"].to_list()}
    )


def _note_of(note: FileNote, status: Status, config: IngestConfig) -> FileNote:
    """The note of a cleaned file that an ingest then does about what it would have done before."""
    if status == "read again":
        return note.unread(_GROWN)
    if status == "unchanged" and is_reachable(note.path):
        [note] = look_at_files([note], config)
    return replace(note, status=status, begin=note.size_bytes)
