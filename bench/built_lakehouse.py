"""A lakehouse as it lies there, for comparing: no Spark, and nothing in it that is chance."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from itertools import takewhile
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.fs as pafs
from deltalake import DeltaTable

from churn_spark.config import load_config
from churn_spark.contracts.champion import POINTER, Published
from churn_spark.contracts.tables import FILES, RUNS

# Column -> why two builds by one version of the code differ in it.
LEFT_OUT: Final = {
    "event_hash": "any hash serves that is equal for equal records, and releases differ in theirs",
    "run_id": "drawn at random for each MLflow run and each backtest, also in the card's JSON",
    "session_days_version": "by how many commits the session days came, not what they are",
    **dict.fromkeys(
        ("made_of", "snapshots_of", "labels_of"), "a hash of files' names, which are drawn"
    ),
    "modified_ts": "when the log's files were written; each demo writes its own",
}
_FILES: Final = f"{FILES.layer}/{FILES.name}"


@dataclass(frozen=True)
class BuiltLakehouse:
    """One of the lakehouses that are compared.

    Attributes:
        folder: where it lies.
    """

    folder: Path

    @cached_property
    def tables(self) -> list[str]:
        """Layer and name of each Delta table, `ml/scores`; what runs took is never the same."""
        logs = sorted(self.folder.glob("*/*/_delta_log"))
        found = [f"{log.parts[-3]}/{log.parts[-2]}" for log in logs]
        return [table for table in found if table != RUNS.path]

    def read(self, table: str) -> pa.Table:
        """The newest rows, no column where there is no such table.

        Source files are named from the folder on that all share, and a card without its run.
        """
        if table not in self.tables:
            return pa.table({})
        rows = self._read_all(table)
        if "source_file" in rows.column_names:
            below = pc.utf8_slice_codeunits(rows["source_file"], len(self._log_folder))
            rows = _exchange(rows, "source_file", below)
        if "card" in rows.column_names:
            cards = [json.loads(card) for card in rows["card"].to_pylist()]
            words = [json.dumps(card | {"run_id": None}, sort_keys=True) for card in cards]
            rows = _exchange(rows, "card", pa.array(words, pa.string()))
        return rows

    def champion_version(self) -> str | None:
        """Version of the champion; none where there is no registry yet, or no champion.

        Where the registry is elsewhere, as it is published.
        """
        store, published = self.folder / "mlflow" / "mlflow.db", self.folder / POINTER
        if not store.is_file() and published.is_file():
            return Published.from_json(published.read_bytes()).version
        if not store.is_file():
            return None
        # Asked of the file and not of MLflow, which would bring an older store to its own version.
        query = "SELECT version FROM registered_model_aliases WHERE name = ? AND alias = 'champion'"
        with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as connection:
            found = connection.execute(query, [load_config().registry.model_name]).fetchone()
        return None if found is None else str(found[0])

    @cached_property
    def _log_folder(self) -> str:
        """What the paths of all source files begin with, up to a slash; empty if there is none."""
        if _FILES not in self.tables:
            return ""
        paths = self._read_all(_FILES)["source_file"].to_pylist()
        # What the first and the last in the alphabet begin with, all between them do.
        first, last = (path.split("/")[:-1] for path in (min(paths), max(paths)))
        pairs = zip(first, last, strict=False)
        shared = [part for part, _ in takewhile(lambda pair: pair[0] == pair[1], pairs)]
        return "/".join([*shared, ""])

    def _read_all(self, table: str) -> pa.Table:
        folder = str(self.folder.resolve() / table)
        # Delta's own file system is Python that Arrow's threads still call while the interpreter
        # ends, which then aborts now and then.
        local = pafs.SubTreeFileSystem(folder, pafs.LocalFileSystem())
        return DeltaTable(folder).to_pyarrow_table(filesystem=local)


def _exchange(rows: pa.Table, column: str, values: pa.Array | pa.ChunkedArray) -> pa.Table:
    return rows.set_column(rows.column_names.index(column), column, values)
