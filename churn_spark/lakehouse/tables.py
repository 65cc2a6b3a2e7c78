"""Reading and writing the Delta tables of one lakehouse; nothing else touches storage."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote

from delta.tables import DeltaTable
from pyspark.sql import DataFrame, DataFrameWriter, SparkSession
from pyspark.sql import functions as F

from churn_spark.contracts.tables import TableSpec
from churn_spark.errors import MissingTableError
from churn_spark.lakehouse import native_rows
from churn_spark.lakehouse.commits import Once, last_number, table_id
from churn_spark.lakehouse.files import Files
from churn_spark.lakehouse.location import escape_glob, qualify
from churn_spark.lakehouse.lock_guard import require_lock
from churn_spark.lakehouse.schema import conform, struct_of
from churn_spark.lakehouse.selection import (
    Where,
    count_meant,
    is_empty,
    spark_condition,
    sql_condition,
)
from churn_spark.lakehouse.small_tables import SmallTables

_COMMITS_A_CHECKPOINT: Final = 50
"""A commit without one costs a reader .3 ms."""


@dataclass(frozen=True)
class Lakehouse(SmallTables):
    """A folder of Delta tables, `<root>/<layer>/<table>`, on any file system that Hadoop knows.

    Attributes:
        spark: reads and writes what is large.
        root: of the tables.
        max_local_users: of the dates at hand; with more, their rows are Spark's work.
    """

    spark: SparkSession
    root: str
    max_local_users: int = 200_000

    def path(self, spec: TableSpec) -> str:
        """Where the table is."""
        return f"{self.root.rstrip('/')}/{spec.path}"

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
        self.require(spec)
        rows = self.spark.read.format("delta").load(self.path(spec))
        later = [field for field in struct_of(spec).fields if field.name not in rows.columns]
        return rows.withColumns({one.name: F.lit(None).cast(one.dataType) for one in later})

    def require(self, spec: TableSpec) -> None:
        """Let pass only a table that has been written at least once.

        Raises:
            MissingTableError: if no step has written it yet.
        """
        if not self.exists(spec):
            raise MissingTableError(
                f"no table {spec.layer}/{spec.name} in {self.root}; expected the step before to "
                "have written it: run the jobs in order, or `nightly`, which does"
            )

    def version(self, spec: TableSpec) -> int:
        """Number of the newest version; -1 where the table doesn't exist.

        Read off the commit files' names, as the Delta protocol fixes them: no Spark job.
        """
        commits_of = f"{escape_glob(self.path(spec))}/_delta_log/*.json"
        pattern = self._jvm.org.apache.hadoop.fs.Path(commits_of)
        file_system = pattern.getFileSystem(self.spark._jsc.hadoopConfiguration())
        # Hadoop sorts what a glob finds, and the numbers have leading zeros.
        commits = file_system.globStatus(pattern)
        return int(commits[-1].getPath().getName().partition(".")[0]) if commits else -1

    def create(self, spec: TableSpec) -> None:
        """Create the table, empty, with its columns' meanings; nothing happens if it exists."""
        if self.is_native:
            native_rows.create(self.uri(spec), self.storage_options, spec)
            return
        require_lock()
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

    def properties(self, spec: TableSpec) -> dict[str, str]:
        """Delta's properties of the table, and the project's own."""
        if self.is_native:
            return native_rows.properties(self.uri(spec), self.storage_options)
        return dict(self._delta(spec).detail().select("properties").collect()[0].properties)

    def append(self, frame: DataFrame, spec: TableSpec, once: Once) -> bool:
        """Append rows once: a repeated call with the same name of the commit writes nothing.

        Returns:
            Whether this call wrote the rows.
        """
        require_lock()
        before = self.version(spec)
        (
            _writer(conform(frame, spec))
            .mode("append")
            .options(**_options_of(once))
            .save(self.path(spec))
        )
        return self.version(spec) > before

    def replace(
        self,
        frame: DataFrame,
        spec: TableSpec,
        where: Where,
        once: Once | None = None,
        *,
        deal_by: str | None = None,
    ) -> None:
        """Replace the rows that have one of the values in each column named, in one commit.

        Args:
            frame: the new rows; all must have such values.
            spec: the table; created where it is missing.
            where: column -> values; where a column has none, nothing is replaced. Without any
                column, all rows are.
            once: the commit's name, which keeps a second one of it from writing.
            deal_by: column of many values by which the rows of a partition are dealt to several
                tasks; one task writes a partition where none is named.
        """
        if is_empty(where):
            return
        require_lock()
        self.create(spec)
        rows = conform(frame, spec)
        if spec.partition_by:
            rows = self._dealt(rows, spec, where, deal_by)
        writer = _writer(rows).mode("overwrite")
        if where:
            writer = writer.option("replaceWhere", sql_condition(where))
        if once is not None:
            writer = writer.options(**_options_of(once))
        writer.save(self.path(spec))

    def delete(self, spec: TableSpec, where: Where) -> None:
        """Remove the rows meant."""
        require_lock()
        self._delta(spec).delete(spark_condition(where))

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

    def drop(self, spec: TableSpec) -> None:
        """Remove the table with its history."""
        self.files.delete(spec.path)
        self.forget_cached()

    def active_files(self, spec: TableSpec) -> set[str]:
        """Paths of the data files of the newest version, below the table's folder."""
        if self.is_native:
            return native_rows.active_files(self.uri(spec), self.storage_options)
        files = DataFrame(self._newest(spec)._2().allFiles().toDF(), self.spark)
        return {unquote(row.path) for row in files.select("path").collect()}

    def write_checkpoint(self, spec: TableSpec) -> None:
        """Write a checkpoint of the newest version: what is older isn't needed to read it."""
        self._newest(spec)._1().checkpoint()

    def forget_cached(self) -> None:
        """Let Spark look again at tables whose log was changed behind its back."""
        self._jvm.org.apache.spark.sql.delta.DeltaLog.clearCache()

    def vacuum(self, spec: TableSpec, days: int = 7) -> None:
        """Remove files that no version of the last so many days names."""
        if self.is_native:
            native_rows.vacuum(self.uri(spec), self.storage_options, days)
        else:
            require_lock()
            self._delta(spec).vacuum(24 * days)

    def compact(self, spec: TableSpec) -> None:
        """Let Spark join small files."""
        require_lock()
        self._delta(spec).optimize().executeCompaction()

    def shorten_log(self, spec: TableSpec, version: int) -> None:
        """Write a checkpoint where one is due; called after each commit that isn't Spark's.

        Spark writes one at its own commits, deltalake must not: readers of the two have
        disagreed about them. Each table has its turn at other versions, so that no night pays
        for all of them.
        """
        if (version + zlib.crc32(spec.path.encode())) % _COMMITS_A_CHECKPOINT == 0:
            self.write_checkpoint(spec)

    def last_number(self, spec: TableSpec, writer: str) -> int:
        """The number of a writer's last commit to the table, see `Once`; -1 where it has none."""
        if self.is_native:
            return last_number(self.uri(spec), self.storage_options, writer)
        if not self.exists(spec):
            return -1
        number = self._newest(spec)._2().transactions().get(writer)
        return int(number.get()) if number.isDefined() else -1

    def table_id(self, spec: TableSpec) -> str:
        """The id that Delta has given the table when it was made: one made anew has another."""
        if self.is_native:
            return table_id(self.uri(spec), self.storage_options)
        return str(self._delta(spec).detail().select("id").collect()[0].id)

    def write_report(self, text: str, name: str) -> str:
        """Write `<root>/reports/<name>`, replacing what is there; returns its path."""
        self.files.exchange(f"reports/{name}", text.encode())
        return f"{self.root.rstrip('/')}/reports/{name}"

    def _dealt(
        self, rows: DataFrame, spec: TableSpec, where: Where, deal_by: str | None
    ) -> DataFrame:
        """The rows in the tasks that write them: each writes few partitions, and large files.

        Where there are fewer partitions than tasks of a shuffle, several tasks share one: a date
        of many users is not the work of one core. No number of tasks is asked for, so adaptive
        execution joins those that get few rows.
        """
        n_tasks = int(str(self.spark.conf.get("spark.sql.shuffle.partitions")))
        n_partitions = count_meant(where, spec.partition_by)
        if deal_by is None or n_partitions is None or n_partitions >= n_tasks:
            return rows.repartition(*spec.partition_by)
        if n_partitions == 1:
            return rows.repartition(deal_by)
        hand = F.pmod(F.xxhash64(deal_by), F.lit(-(-n_tasks // n_partitions)))
        return rows.repartition(*spec.partition_by, hand)

    @property
    def _jvm(self) -> Any:
        return self.spark._jvm

    def _newest(self, spec: TableSpec) -> Any:
        """Delta's log of the table, and its newest snapshot.

        The log that Spark has at hand is of its own last look: this one looks again.
        """
        log = self._jvm.org.apache.spark.sql.delta.DeltaLog
        return log.forTableWithSnapshot(self.spark._jsparkSession, self.path(spec))

    def _delta(self, spec: TableSpec) -> DeltaTable:
        return DeltaTable.forPath(self.spark, self.path(spec))


def _options_of(once: Once) -> dict[str, str | int]:
    """What names a commit to Spark."""
    name: dict[str, str | int] = {"txnAppId": once.writer, "txnVersion": once.number}
    return name | ({"userMetadata": once.note} if once.note else {})


def _writer(rows: DataFrame) -> DataFrameWriter:
    """What writes the rows; a table from before a column was declared gets that column."""
    return rows.write.format("delta").option("mergeSchema", "true")
