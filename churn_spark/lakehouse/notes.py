"""Notes that writers leave with their commits, read from the commits' files.

Without Spark, which would need a job, and without deltalake, which finds no history where the name
of a folder has characters that addresses write otherwise.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

from churn_spark.contracts.tables import TableSpec
from churn_spark.lakehouse.tables import Lakehouse

NOTE: Final = "userMetadata"
"""Where Spark keeps it in a commit, and so does `commits`."""


def newest_notes(lakehouse: Lakehouse, spec: TableSpec) -> dict[str, Any]:
    """Writer -> what its newest commit to the table says, of the commits whose files are left."""
    found: dict[str, Any] = {}
    for notes in _read_notes(lakehouse, spec):
        found = notes | found
    return found


def newest_note(lakehouse: Lakehouse, spec: TableSpec, writer: str) -> Any:
    """What a writer's newest commit to the table says; none where no commit of it is left.

    Args:
        lakehouse: with the table.
        spec: of the table; it may be missing.
        writer: see `Once`.
    """
    found = (notes[writer] for notes in _read_notes(lakehouse, spec) if writer in notes)
    return next(found, None)


def read_commit(lakehouse: Lakehouse, spec: TableSpec, version: int) -> bytes | None:
    """The file of a commit; none where it isn't kept any more."""
    return lakehouse.files.read(f"{spec.path}/_delta_log/{version:020d}.json")


def _read_notes(lakehouse: Lakehouse, spec: TableSpec) -> Iterator[dict[str, Any]]:
    """The notes of each commit, the newest first, as far back as their files are left."""
    for version in range(lakehouse.version(spec), -1, -1):
        content = read_commit(lakehouse, spec, version)
        if content is None:
            return
        yield _notes_of(content)


def _notes_of(commit: bytes) -> dict[str, Any]:
    """Writer -> what a commit's file says."""
    found: dict[str, Any] = {}
    for line in commit.splitlines():
        note = json.loads(line).get("commitInfo", {}).get(NOTE, "{}")
        try:
            notes = json.loads(note)
        except ValueError:
            # Another's, in words of its own.
            continue
        if isinstance(notes, dict):
            found |= notes
    return found
