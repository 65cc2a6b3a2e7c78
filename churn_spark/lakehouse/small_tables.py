"""Rows that fit on the driver, read and written: without Spark where Python reaches the storage."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any, ClassVar

import pandas as pd
import pyarrow as pa
from pyspark.sql import DataFrame, Row, SparkSession

from churn_spark.contracts.tables import TableSpec
from churn_spark.lakehouse import commits, native_rows, spark_rows
from churn_spark.lakehouse.arrow_schema import arrow_schema, to_arrow, to_frame, to_rows
from churn_spark.lakehouse.location import native_root, qualify, storage_options
from churn_spark.lakehouse.native_rows import NativeTable
from churn_spark.lakehouse.selection import Where, is_empty, require_meant


class SmallTables(ABC):
    """What a lakehouse does with rows that fit on the driver.

    The same on any storage: where deltalake reaches it, a read or a write takes milliseconds and
    no Spark job; elsewhere both go through Spark.

    Attributes:
        is_read_only: whether nothing may be written, not even what would save the next reader time.
        spark: the session.
        root: of the tables.
    """

    is_read_only: ClassVar[bool] = False
    spark: SparkSession
    root: str

    @abstractmethod
    def exists(self, spec: TableSpec) -> bool:
        """Whether the table has been written at least once."""

    @abstractmethod
    def read(self, spec: TableSpec) -> DataFrame:
        """The newest version of the table, as Spark reads it."""

    @abstractmethod
    def replace(self, frame: DataFrame, spec: TableSpec, where: Where) -> None:
        """Replace the rows meant, as Spark writes them."""

    @abstractmethod
    def delete(self, spec: TableSpec, where: Where) -> None:
        """Remove the rows meant, as Spark does it."""

    @abstractmethod
    def shorten_log(self, spec: TableSpec, version: int) -> None:
        """Let a long log be read fast."""

    @cached_property
    def address(self) -> str:
        """The folder with its scheme, as Hadoop lists what is in it."""
        return qualify(self.spark, self.root.rstrip("/"))

    @cached_property
    def native_root(self) -> str | None:
        """The folder as deltalake names it; none where only Spark reaches it."""
        return native_root(self.address)

    @property
    def is_native(self) -> bool:
        """Whether Python reads and writes the tables without Spark."""
        return self.native_root is not None

    def takes_commits(self, specs: Iterable[TableSpec]) -> bool:
        """Whether Python reaches the tables, and none that is there needs what only Spark does."""
        return self.is_native and all(
            commits.takes_commits(self.uri(spec), self.storage_options)
            for spec in specs
            if self.exists(spec)
        )

    def uri(self, spec: TableSpec) -> str:
        """Where deltalake finds the table.

        Raises:
            ValueError: where only Spark reaches it.
        """
        if self.native_root is None:
            raise ValueError(f"found {self.root}, expected storage that deltalake reaches")
        return f"{self.native_root}/{spec.path}"

    @property
    def storage_options(self) -> dict[str, str]:
        """Keys and end points of the storage, for deltalake here and in Spark's workers."""
        return storage_options(self.native_root or "")

    def stored_columns(self, spec: TableSpec) -> list[str]:
        """The columns that the table has, declared or not; none without a table."""
        if self.is_native:
            table = self._open(spec)
            return table.columns if table else []
        return self.read(spec).columns if self.exists(spec) else []

    def read_rows(
        self, spec: TableSpec, where: Where | None = None, columns: Sequence[str] | None = None
    ) -> pd.DataFrame:
        """The rows meant, in no order; none where the table is missing.

        Dates are `datetime.date`, instants have no zone and are UTC, lists are arrays, and whole
        numbers with missing ones among them are floats: as Spark's `toPandas` gives them.

        Args:
            spec: of a small table, or of one that `where` makes small.
            where: which rows; all where it is missing.
            columns: which columns, in this order; all where they are missing.
        """
        meant, names = where or {}, columns or spec.column_names
        if self.is_native:
            return to_frame(self.read_arrow(spec, meant, names))
        if is_empty(meant) or not self.exists(spec):
            return to_frame(arrow_schema(spec).empty_table().select(names))
        return spark_rows.select(self.read(spec), meant, names).toPandas()

    def read_arrow(
        self, spec: TableSpec, where: Where | None = None, columns: Sequence[str] | None = None
    ) -> pa.Table:
        """The same with the declared types: whole numbers stay whole."""
        meant, names = where or {}, columns or spec.column_names
        nothing = arrow_schema(spec).empty_table().select(names)
        if is_empty(meant):
            return nothing
        if self.is_native:
            table = self._open(spec)
            return table.read(meant, names) if table else nothing
        return pa.Table.from_pandas(self.read_rows(spec, meant, names), nothing.schema)

    def collect_rows(
        self, spec: TableSpec, where: Where | None = None, columns: Sequence[str] | None = None
    ) -> list[Row]:
        """The same, each row by itself and None for what is missing: as Spark's `collect` does."""
        meant, names = where or {}, columns or spec.column_names
        if self.is_native:
            return to_rows(self.read_arrow(spec, meant, names))
        if is_empty(meant) or not self.exists(spec):
            return []
        return spark_rows.select(self.read(spec), meant, names).collect()

    def count_rows(self, spec: TableSpec, where: Where | None = None) -> int:
        """Number of the rows meant, all where it isn't said which; 0 where there is no table."""
        meant = where or {}
        if is_empty(meant):
            return 0
        if self.is_native:
            table = self._open(spec)
            return table.count(meant) if table else 0
        return spark_rows.count(self.read(spec), meant) if self.exists(spec) else 0

    def partition_values(
        self, spec: TableSpec, column: str, null_in: str | None = None
    ) -> list[Any]:
        """The values of a partition column that have rows, sorted; none without a table.

        Args:
            spec: of the table.
            column: the partition column.
            null_in: another column: only the values that may have rows without a value in it.
        """
        if self.is_native:
            table = self._open(spec)
            return table.partition_values(column, null_in) if table else []
        return spark_rows.values(self.read(spec), column, null_in) if self.exists(spec) else []

    def data_files(self, spec: TableSpec, column: str) -> list[tuple[Any, str]]:
        """Value of a partition column and path of each file of the table, in order.

        A file never changes: the same files hold the same rows. Only where `is_native`.

        Raises:
            ValueError: where only Spark reaches the table.
        """
        table = self._open(spec)
        return table.data_files(column) if table else []

    def small_files(self, spec: TableSpec, max_bytes: int, min_files: int) -> dict[Any, int]:
        """Value of the partition column -> number of small files of a table, where there are many.

        Only where `is_native`; see `NativeTable.small_files`.

        Raises:
            ValueError: where only Spark reaches the table.
        """
        table = self._open(spec)
        return table.small_files(max_bytes, min_files) if table else {}

    def replace_rows(
        self, rows: Sequence[Any] | pd.DataFrame | pa.Table, spec: TableSpec, where: Where
    ) -> None:
        """Replace the rows meant, in one commit; none of the new ones removes what is there.

        Args:
            rows: tuples in the order of the columns, a frame, where NaN is a missing value, or
                an Arrow table.
            spec: the table; created where it is missing.
            where: column -> values; where a column has none, nothing is replaced.

        Raises:
            SchemaError: if they don't fit the table; nothing is written then.
        """
        if is_empty(where):
            return
        fitting = to_arrow(rows, spec)
        require_meant(fitting, spec, where)
        if self.is_native:
            version = native_rows.replace(
                self.uri(spec), self.storage_options, fitting, spec, where
            )
            self.shorten_log(spec, version)
        else:
            self.replace(spark_rows.to_spark(self.spark, fitting, spec), spec, where)

    def delete_rows(self, spec: TableSpec, where: Where) -> None:
        """Remove the rows meant from a table of any size; the others stay as they are."""
        if is_empty(where):
            return
        if self.takes_commits([spec]):
            commits.delete_rows(where, self.uri(spec), self.storage_options)
        else:
            self.delete(spec, where)

    def _open(self, spec: TableSpec) -> NativeTable | None:
        return native_rows.open_table(self.uri(spec), self.storage_options, spec)
