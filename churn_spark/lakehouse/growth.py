"""What the commits of a while have added to tables: rows, bytes, files, read from their logs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

from churn_spark.contracts.tables import TableSpec
from churn_spark.lakehouse.notes import read_commit
from churn_spark.lakehouse.tables import Lakehouse

_AT_ONCE: Final = 8
"""Tables: on an object store each answer takes a tenth of a second."""


@dataclass(frozen=True)
class Growth:
    """What was written to a table.

    Attributes:
        before: version of the table before; -1 where there was none.
        after: its version after.
        rows: written; those that replace others count.
        n_bytes: of the files written.
        files: written.
        committed_ms: when the last commit was made, milliseconds since 1970.
    """

    before: int
    after: int
    rows: int
    n_bytes: int
    files: int
    committed_ms: int


def read_versions(lakehouse: Lakehouse, specs: Iterable[TableSpec]) -> dict[TableSpec, int]:
    """The newest version of each table; -1 where there is no table."""
    tables = [*specs]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return dict(zip(tables, pool.map(lakehouse.version, tables), strict=True))


def measure_growth(
    lakehouse: Lakehouse, before: Mapping[TableSpec, int]
) -> dict[TableSpec, Growth]:
    """What was written to each table since some versions; tables without a commit are left out.

    A table that was made anew meanwhile counts from its first version.
    """
    found = {}
    for spec, after in read_versions(lakehouse, before).items():
        first = before[spec] if after >= before[spec] else -1
        if after > first:
            found[spec] = _sum_commits(lakehouse, spec, first, after)
    return found


def _sum_commits(lakehouse: Lakehouse, spec: TableSpec, before: int, after: int) -> Growth:
    rows = n_bytes = files = committed = 0
    for version in range(before + 1, after + 1):
        for action in _read_actions(lakehouse, spec, version):
            if added := action.get("add"):
                # Compacted rows were there before.
                rows += _count_rows(added) if added.get("dataChange", True) else 0
                n_bytes, files = n_bytes + added["size"], files + 1
            committed = max(committed, action.get("commitInfo", {}).get("timestamp", 0))
    return Growth(before, after, rows, n_bytes, files, committed)


def _read_actions(lakehouse: Lakehouse, spec: TableSpec, version: int) -> Iterator[dict[str, Any]]:
    for line in (read_commit(lakehouse, spec, version) or b"").splitlines():
        yield json.loads(line)


def _count_rows(added: Mapping[str, Any]) -> int:
    return int(json.loads(added.get("stats") or "{}").get("numRecords", 0))
