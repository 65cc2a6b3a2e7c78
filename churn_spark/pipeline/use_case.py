"""What a step of the pipeline needs and leaves: declared once, checked before it starts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass

from churn_spark.contracts.tables import TableSpec
from churn_spark.errors import MissingTableError
from churn_spark.lakehouse.location import require_writable
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.pipeline.console import closing_line
from churn_spark.pipeline.heartbeat import beating, describe_tasks


@dataclass(frozen=True)
class UseCase:
    """One step of the pipeline, under the name of its job.

    Attributes:
        name: of the job.
        summary: what it does, for the table of steps in the documentation.
        reads: tables that must be there.
        writes: tables that it leaves.
        reads_if_there: tables that it reads where an earlier run has written them.
        takes: what else it reads, in words.
        leaves: what else it writes, in words.
    """

    name: str
    summary: str
    reads: tuple[TableSpec, ...] = ()
    writes: tuple[TableSpec, ...] = ()
    reads_if_there: tuple[TableSpec, ...] = ()
    takes: tuple[str, ...] = ()
    leaves: tuple[str, ...] = ()

    def check_inputs(self, lakehouse: Lakehouse) -> None:
        """Refuse to start where a table is missing that the step reads, or none can be written.

        Raises:
            MissingTableError: if one is missing; all of them are named.
            MachineError: if the step writes, and the lakehouse can't be written to.
        """
        if self.writes and lakehouse.native_root is not None:
            require_writable(lakehouse.native_root)
        self.require_tables(lakehouse)

    def require_tables(self, lakehouse: Lakehouse) -> None:
        """Refuse to start where a table is missing that the step reads.

        Raises:
            MissingTableError: if one is missing; all of them are named.
        """
        missing = [spec.path for spec in self.reads if not lakehouse.exists(spec)]
        if missing:
            raise MissingTableError(
                f"found no table {', '.join(missing)} in {lakehouse.root}, expected it before "
                f"{self.name}: run the jobs in order, or `nightly`, which does"
            )

    @contextmanager
    def start(self, lakehouse: Lakehouse, *, tells_itself: bool = False) -> Iterator[list[str]]:
        """Check the inputs, and print the closing line at the end; gives its list of facts.

        Meanwhile a step that takes long says that it goes on.

        Args:
            lakehouse: to work in.
            tells_itself: whether the step says how far it is without that.

        Raises:
            MissingTableError: if a table is missing that the step reads.
            MachineError: if the step writes, and the lakehouse can't be written to.
        """
        self.check_inputs(lakehouse)
        beat = nullcontext() if tells_itself else self.beating(lakehouse)
        with closing_line(self.name) as facts, beat:
            yield facts

    def beating(self, lakehouse: Lakehouse) -> AbstractContextManager[None]:
        """Say that the step goes on while a block does, and how many of Spark's tasks are done."""
        return beating(self.name, lambda: describe_tasks(lakehouse.spark.sparkContext))
