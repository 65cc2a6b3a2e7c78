"""A lakehouse for those who only read: Spark starts when something asks for it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

from pyspark.sql import SparkSession

from churn_spark.contracts.tables import TableSpec
from churn_spark.lakehouse.tables import Lakehouse


class ReadableLakehouse(Lakehouse):
    """The same tables, where Python reaches them: their versions are asked of deltalake.

    It takes no lock, so nothing may be written through it.

    Attributes:
        start: starts Spark.
    """

    is_read_only = True
    start: Callable[[], SparkSession]

    def __init__(
        self, native_root: str, start: Callable[[], SparkSession], max_local_users: int
    ) -> None:
        """Nothing is read, and no Spark started.

        Args:
            native_root: the folder as deltalake names it.
            start: starts Spark, or gives the session that was started.
            max_local_users: as of any lakehouse.
        """
        # Frozen, as all lakehouses are; and `spark` has no value yet.
        for name, value in (
            ("root", native_root),
            ("start", start),
            ("max_local_users", max_local_users),
        ):
            object.__setattr__(self, name, value)

    @cached_property
    def spark(self) -> SparkSession:  # type: ignore[override]
        """The session; the first who asks waits until it is up."""
        return self.start()

    @property
    def address(self) -> str:
        """The folder with its scheme: a path without one is another place to some clusters."""
        return f"file:{self.root}" if self.root.startswith("/") else self.root

    def path(self, spec: TableSpec) -> str:
        """Where Spark finds the table."""
        return f"{self.address}/{spec.path}"

    def version(self, spec: TableSpec) -> int:
        """Number of the newest version; -1 where the table doesn't exist."""
        table = self._open(spec)
        return table.delta.version() if table else -1
