"""Reading and writing the Delta tables of one lakehouse; nothing else touches storage."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd
import pyarrow as pa
from delta.tables import DeltaTable
from pyspark.sql import DataFrame, DataFrameWriter, SparkSession
from pyspark.sql import functions as F

from churn_spark.contracts.tables import TableSpec
from churn_spark.errors import MissingTableError
from churn_spark.lakehouse import native_rows, spark_rows
from churn_spark.lakehouse.arrow_schema import to_arrow
from churn_spark.lakehouse.files import Files
from churn_spark.lakehouse.location import native_root, qualify
from churn_spark.lakehouse.schema import conform, struct_of
from churn_spark.lakehouse.selection import Where, is_empty, require_meant, sql_condition


@dataclass(frozen=True)
class Lakehouse:
    """A folder of Delta tables, `<root>/<layer>/<table>`, on any file system that Hadoop knows."""

    spark: SparkSession
    root: str

    def path(self, spec: TableSpec) -> str:
        """Where the table is."""
        return f"{self.root.rstrip('/')}/{spec.path}"

    def checkpoint(self, job_name: str) -> str:
        """Where a streaming job keeps what it has read."""
        return f"{self.root.rstrip('/')}/_checkpoints/{job_name}"

    @cached_property
    def native_root(self) -> str | None:
        """The folder as deltalake names it; none where only Spark reaches it."""
        return native_root(qualify(self.spark, self.root.rstrip("/")))

    @property
    def is_native(self) -> bool:
        """Whether small tables are read and written without Spark."""
        return self.native_root is not None

    def uri(self, spec: TableSpec) -> str:
        """Where deltalake finds the table; keys and end points come from the environment.

        Raises:
            ValueError: where only Spark reaches it.
        """
        if self.native_root is None:
            raise ValueError(f"found {self.root}, expected storage that deltalake reaches")
        return f"{self.native_root}/{spec.path}"

    @property
    def files(self) -> Files:
        """The files beside the tables, by their path below the root."""
        return Files(self.spark, self.root)

    def exists(self, spec: TableSpec) -> bool:
        """Whether the table has been written at least once."""
        return self.version(spec) >= 0

    def read(self, spec: TableSpec) -> DataFrame:
        """The newest version of the table; columns that it was written without are null.

        Raises:
            MissingTableError: if no step has written it yet.
        """
        if not self.exists(spec):
            raise MissingTableError(
                f"no table {spec.layer}/{spec.name} in {self.root}; expected the step before to "
                "have written it: run the jobs in order, or `nightly`, which does"
            )
        rows = self.spark.read.format("delta").load(self.path(spec))
        later = [field for field in struct_of(spec).fields if field.name not in rows.columns]
        return rows.withColumns({one.name: F.lit(None).cast(one.dataType) for one in later})

    def version(self, spec: TableSpec) -> int:
        """Number of the newest version; -1 where the table doesn't exist.

        Read off the commit files' names, as the Delta protocol fixes them: no Spark job.
        """
        pattern = self._jvm.org.apache.hadoop.fs.Path(f"{self.path(spec)}/_delta_log/*.json")
        file_system = pattern.getFileSystem(self.spark._jsc.hadoopConfiguration())
        # Hadoop sorts what a glob finds, and the numbers have leading zeros.
        commits = file_system.globStatus(pattern)
        return int(commits[-1].getPath().getName().partition(".")[0]) if commits else -1

    def create(self, spec: TableSpec) -> None:
        """Create the table, empty, with its columns' meanings; nothing happens if it exists."""
        if self.exists(spec):
            return
        builder = (
            DeltaTable.createIfNotExists(self.spark)
            # Delta takes a relative location for the name of a table.
            .location(qualify(self.spark, self.path(spec)))
            .addColumns(struct_of(spec))
            .comment(spec.grain)
        )
        if spec.partition_by:
            builder = builder.partitionedBy(*spec.partition_by)
        for name, value in spec.properties.items():
            builder = builder.property(name, value)
        builder.execute()

    def append(self, frame: DataFrame, spec: TableSpec, *, writer: str, batch: int) -> bool:
        """Append rows once: a repeated call with the same writer and batch writes nothing.

        Returns:
            Whether this call wrote the rows.
        """
        before = self.version(spec)
        (
            _writer(conform(frame, spec))
            .mode("append")
            .option("txnAppId", f"{writer}/{spec.name}")
            .option("txnVersion", batch)
            .save(self.path(spec))
        )
        return self.version(spec) > before

    def replace(
        self,
        frame: DataFrame,
        spec: TableSpec,
        where: Where,
        note: dict[str, Any] | None = None,
    ) -> None:
        """Replace the rows that have one of the values in each column named, in one commit.

        Args:
            frame: the new rows; all must have such values.
            spec: the table; created where it is missing.
            where: column -> values; where a column has none, nothing is replaced.
            note: kept with the commit, see `newest_note`.
        """
        if is_empty(where):
            return
        self.create(spec)
        rows = conform(frame, spec)
        if spec.partition_by:
            # Otherwise each task would write a small file into each partition.
            rows = rows.repartition(*spec.partition_by)
        writer = _writer(rows).mode("overwrite").option("replaceWhere", sql_condition(where))
        if note is not None:
            writer = writer.option("userMetadata", json.dumps(note))
        writer.save(self.path(spec))

    def replace_rows(
        self, rows: Sequence[Any] | pd.DataFrame | pa.Table, spec: TableSpec, where: Where
    ) -> None:
        """The same for rows that are on the driver; none of them removes what is there.

        Args:
            rows: tuples in the order of the columns, a frame, where NaN is a missing value, or
                an Arrow table.
            spec: the table; created where it is missing.
            where: as in `replace`.

        Raises:
            SchemaError: if they don't fit the table; nothing is written then.
        """
        if is_empty(where):
            return
        fitting = to_arrow(rows, spec)
        require_meant(fitting, spec, where)
        if self.is_native:
            native_rows.replace(self.uri(spec), fitting, spec, where)
        else:
            self.replace(spark_rows.to_spark(self.spark, fitting, spec), spec, where)

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
        if not is_empty(meant):
            if self.is_native and (table := native_rows.open_table(self.uri(spec))):
                return native_rows.to_frame(native_rows.read(table, spec, meant, names))
            if not self.is_native and self.exists(spec):
                return spark_rows.read(self.read(spec), meant, names)
        return native_rows.to_frame(to_arrow([], spec).select(names))

    def read_arrow(
        self, spec: TableSpec, where: Where | None = None, columns: Sequence[str] | None = None
    ) -> pa.Table:
        """The same rows with the declared types: whole numbers stay whole. Only where `is_native`.

        Raises:
            ValueError: where only Spark reaches the table.
        """
        meant, names = where or {}, columns or spec.column_names
        table = None if is_empty(meant) else native_rows.open_table(self.uri(spec))
        if table is None:
            return to_arrow([], spec).select(names)
        return native_rows.read(table, spec, meant, names)

    def data_files(self, spec: TableSpec, column: str) -> list[tuple[Any, str]]:
        """Value of a partition column and path of each file of the table, in order.

        A file never changes: the same files hold the same rows. Only where `is_native`.

        Raises:
            ValueError: where only Spark reaches the table.
        """
        table = native_rows.open_table(self.uri(spec))
        return native_rows.data_files(table, column) if table else []

    def count_rows(self, spec: TableSpec, where: Where | None = None) -> int:
        """Number of the rows meant, all where it isn't said which; 0 where there is no table."""
        meant = where or {}
        if is_empty(meant):
            return 0
        if self.is_native:
            table = native_rows.open_table(self.uri(spec))
            return native_rows.count(table, spec, meant) if table else 0
        return spark_rows.count(self.read(spec), meant) if self.exists(spec) else 0

    def partition_values(self, spec: TableSpec, column: str) -> list[Any]:
        """The values of a partition column that have rows, sorted; none without a table."""
        if self.is_native:
            table = native_rows.open_table(self.uri(spec))
            return native_rows.partition_values(table, column) if table else []
        return spark_rows.partition_values(self.read(spec), column) if self.exists(spec) else []

    def overwrite(self, frame: DataFrame, spec: TableSpec) -> None:
        """Replace all rows of the table in one commit."""
        self.create(spec)
        _writer(conform(frame, spec)).mode("overwrite").save(self.path(spec))

    def changes(self, spec: TableSpec, since: int) -> DataFrame:
        """The rows added or deleted after a version; all rows where that is before the first."""
        if since < 0:
            return self.read(spec)
        return (
            self.spark.read.format("delta")
            .option("readChangeFeed", "true")
            .option("startingVersion", since + 1)
            .load(self.path(spec))
        )

    def newest_note(self, spec: TableSpec) -> dict[str, Any]:
        """The note of the newest commit that has one; empty where there is none."""
        if not self.exists(spec):
            return {}
        notes = (
            self._delta(spec)
            .history()
            .filter(F.col("userMetadata").isNotNull())
            .orderBy(F.desc("version"))
            .select("userMetadata")
            .head(1)
        )
        return dict(json.loads(notes[0][0])) if notes else {}

    def write_report(self, text: str, name: str) -> str:
        """Write `<root>/reports/<name>`, replacing what is there; returns its path."""
        self.files.write(f"reports/{name}", text.encode())
        return f"{self.root.rstrip('/')}/reports/{name}"

    @property
    def _jvm(self) -> Any:
        return self.spark._jvm

    def _delta(self, spec: TableSpec) -> DeltaTable:
        return DeltaTable.forPath(self.spark, self.path(spec))


def _writer(rows: DataFrame) -> DataFrameWriter:
    """What writes the rows; a table from before a column was declared gets that column."""
    return rows.write.format("delta").option("mergeSchema", "true")
