"""The history of a table, forgotten: what is left is its newest version and nothing else.

A row that was deleted is still in the files of older versions, in the change feed, in the ranges of
columns that commits and checkpoints note of each file, and in the condition of the delete itself.
The table keeps its id, the number of its version, and the numbers and notes of its writers.
"""

from __future__ import annotations

import json
from typing import Final

from churn_spark.contracts.tables import TableSpec
from churn_spark.lakehouse.commits import Once, append_files
from churn_spark.lakehouse.notes import newest_notes, read_commit
from churn_spark.lakehouse.schema import struct_of
from churn_spark.lakehouse.tables import Lakehouse

_WRITER: Final = "forget_history"
_SAYS_NOTHING: Final = frozenset({"commitInfo", "txn"})
_DIGITS: Final = 20
_POINTER: Final = "_last_checkpoint"


def close_history(lakehouse: Lakehouse, spec: TableSpec) -> None:
    """Let the newest commit be one that changes nothing, with the notes of those before it.

    Nothing happens where it is one already.
    """
    version = lakehouse.version(spec)
    if _says_nothing(read_commit(lakehouse, spec, version)):
        return
    notes = newest_notes(lakehouse, spec)
    once = Once(_WRITER, lakehouse.last_number(spec, _WRITER) + 1, json.dumps(notes))
    if lakehouse.takes_commits([spec]):
        append_files((), lakehouse.uri(spec), lakehouse.storage_options, once)
    else:
        lakehouse.append(lakehouse.spark.createDataFrame([], struct_of(spec)), spec, once)


def forget_history(lakehouse: Lakehouse, spec: TableSpec) -> None:
    """Remove all files of a table that its newest version doesn't need; killed, it is done again.

    Who reads an older version meanwhile doesn't find its files.
    """
    close_history(lakehouse, spec)
    version, files = lakehouse.version(spec), lakehouse.files
    log = f"{spec.path}/_delta_log"
    if not any(_is_checkpoint(name, version) for name in files.names(log)):
        lakehouse.write_checkpoint(spec)
    kept = lakehouse.active_files(spec)
    for path in [*files.walk(spec.path)]:
        inside = path.removeprefix(f"{spec.path}/")
        if not inside.startswith("_delta_log/") and _without_sum(inside) not in kept:
            files.delete(path)
    for name in files.names(log):
        if not _is_needed(_without_sum(name), version):
            files.delete(f"{log}/{name}")
    lakehouse.forget_cached()


def _says_nothing(commit: bytes | None) -> bool:
    lines = (commit or b"").splitlines()
    return bool(lines) and all(json.loads(line).keys() <= _SAYS_NOTHING for line in lines)


def _is_checkpoint(name: str, version: int) -> bool:
    return name.startswith(f"{version:0{_DIGITS}d}.checkpoint")


def _is_needed(name: str, version: int) -> bool:
    """Whether a file of the log is of the version or of a later one."""
    number = name[:_DIGITS]
    return name == _POINTER or (number.isdecimal() and int(number) >= version)


def _without_sum(path: str) -> str:
    """The file that a checksum file of Hadoop's, `.name.crc`, is of; of another, itself."""
    folder, slash, name = path.rpartition("/")
    is_sum = name.startswith(".") and name.endswith(".crc")
    return folder + slash + (name[1:-4] if is_sum else name)
