"""A lakehouse on the local disk without a JVM, for what reads and writes through Python alone."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import polars as pl
from deltalake import DeltaTable
from pyspark.sql import DataFrame

from churn_spark.contracts.tables import TableSpec
from churn_spark.events.files import ListedFile, Location
from churn_spark.lakehouse import native_rows
from churn_spark.lakehouse.commits import last_number, table_id
from churn_spark.lakehouse.selection import Where
from churn_spark.lakehouse.small_tables import SmallTables
from churn_spark.lakehouse.tables import Lakehouse


@dataclass(frozen=True)
class LocalFiles:
    """Small files below a folder."""

    root: str

    def read(self, path: str) -> bytes | None:
        target = Path(self.root, path)
        return target.read_bytes() if target.exists() else None

    def exchange(self, path: str, content: bytes) -> None:
        target = Path(self.root, path)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)

    def delete(self, path: str) -> None:
        target = Path(self.root, path)
        if target.is_dir():
            shutil.rmtree(target)
        target.unlink(missing_ok=True)

    def names(self, folder: str) -> list[str]:
        return sorted(one.name for one in Path(self.root, folder).glob("*"))

    def walk(self, folder: str = "") -> Iterator[str]:
        for one in sorted(Path(self.root, folder).rglob("*")):
            if one.is_file():
                yield str(one.relative_to(self.root))

    def listed(self, path: str) -> tuple[str, int, int]:
        target = Path(self.root, path)
        status = target.stat()
        return f"file:{target}", status.st_size, int(status.st_mtime * 1000)


@dataclass(frozen=True)
class LocalLakehouse(SmallTables):
    """What the native way through the pipeline asks of a lakehouse."""

    root: str
    max_local_users: int = 200_000

    @property
    def address(self) -> str:  # type: ignore[override]
        return f"file:{self.root}"

    @property
    def native_root(self) -> str:  # type: ignore[override]
        return self.root

    @property
    def files(self) -> LocalFiles:
        return LocalFiles(self.root)

    def exists(self, spec: TableSpec) -> bool:
        return self.version(spec) >= 0

    def require(self, spec: TableSpec) -> None:
        assert self.exists(spec)

    def version(self, spec: TableSpec) -> int:
        commits = Path(self.uri(spec), "_delta_log").glob("*.json")
        return max((int(commit.stem) for commit in commits), default=-1)

    def create(self, spec: TableSpec) -> None:
        native_rows.create(self.uri(spec), self.storage_options, spec)

    def properties(self, spec: TableSpec) -> dict[str, str]:
        return native_rows.properties(self.uri(spec), self.storage_options)

    def last_number(self, spec: TableSpec, writer: str) -> int:
        return last_number(self.uri(spec), self.storage_options, writer)

    def table_id(self, spec: TableSpec) -> str:
        return table_id(self.uri(spec), self.storage_options)

    def shorten_log(self, spec: TableSpec, version: int) -> None:
        """No checkpoint without Spark."""

    def active_files(self, spec: TableSpec) -> set[str]:
        return native_rows.active_files(self.uri(spec), self.storage_options)

    def write_checkpoint(self, spec: TableSpec) -> None:
        DeltaTable(self.uri(spec)).create_checkpoint()

    def forget_cached(self) -> None:
        """Nothing is cached without Spark."""

    def drop(self, spec: TableSpec) -> None:
        shutil.rmtree(self.uri(spec))

    def vacuum(self, spec: TableSpec, days: int = 7) -> None:
        native_rows.vacuum(self.uri(spec), self.storage_options, days)

    def read(self, spec: TableSpec) -> DataFrame:
        raise NotImplementedError

    def delete(self, spec: TableSpec, where: Where) -> None:
        raise NotImplementedError

    def replace(self, frame: DataFrame, spec: TableSpec, where: Where) -> None:
        raise NotImplementedError


def list_folder(folder: Path) -> Location:
    """The JSON files of a folder, as Hadoop lists them."""
    files = [
        ListedFile(f"file:{one}", one.stat().st_size, int(one.stat().st_mtime * 1000))
        for one in sorted(folder.rglob("*.json*"))
    ]
    return Location(files, [])


def open_local(folder: Path | str) -> Lakehouse:
    """The lakehouse in a folder, for use cases that run without Spark."""
    return cast(Lakehouse, LocalLakehouse(str(folder)))


def rows_of(lakehouse: Lakehouse, spec: TableSpec) -> pl.DataFrame:
    """All rows of a table."""
    return pl.DataFrame(lakehouse.read_arrow(spec))
