"""A lakehouse in a local folder for what needs no Spark: rows go through deltalake."""

from __future__ import annotations

from pathlib import Path

import polars as pl
from deltalake import DeltaTable

from churn_spark.contracts.tables import TableSpec
from churn_spark.lakehouse.tables import Lakehouse


class NativeLakehouse(Lakehouse):
    """A lakehouse without a session."""

    @property
    def native_root(self) -> str:
        """The folder."""
        return self.root

    def version(self, spec: TableSpec) -> int:
        """Number of the newest version; -1 where the table doesn't exist."""
        uri = self.uri(spec)
        return DeltaTable(uri).version() if DeltaTable.is_deltatable(uri) else -1

    def shorten_log(self, spec: TableSpec, version: int) -> None:
        """Nothing: checkpoints are Spark's."""


def open_native(folder: Path | str) -> Lakehouse:
    """The lakehouse in a folder."""
    return NativeLakehouse(None, str(folder))  # type: ignore[arg-type]


def rows_of(lakehouse: Lakehouse, spec: TableSpec) -> pl.DataFrame:
    """All rows of a table."""
    found = pl.from_arrow(lakehouse.read_arrow(spec))
    assert isinstance(found, pl.DataFrame)
    return found
