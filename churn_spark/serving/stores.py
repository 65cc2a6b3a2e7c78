"""The tables that the service shows, read without Spark: the newest date, and what came before."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final, Generic, TypeVar

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable
from deltalake.exceptions import TableNotFoundError
from pyarrow.dataset import get_partition_keys

from churn_spark.contracts.places import IN_LOG, OUT_OF_PLACE
from churn_spark.contracts.tables import LOG_DATES, TableSpec
from churn_spark.errors import RequestError
from churn_spark.serving.row_files import RowFile

HISTORY_COLUMNS: Final = ("as_of", "churn_probability", "risk_band", "risk_rank", "model_version")
_HISTORY_DATES: Final = 180
_HISTORY_BYTES: Final = 2**30
"""Of the files that are looked into for one user: half a year of 20,000, some days of a million."""

_log = logging.getLogger(__name__)
Rows = TypeVar("Rows")


@dataclass(frozen=True, eq=False)
class Partition(Generic[Rows]):
    """The newest date of a table.

    Attributes:
        day: the date.
        rows: of that date.
        written_at: when the newest of its files was written, UTC.
    """

    day: date
    rows: Rows
    written_at: datetime


@dataclass(frozen=True)
class _DayFile:
    """A file of one date; when it was written, and how long it is."""

    day: date
    file: RowFile
    written_at: datetime
    n_bytes: int


class TableWatch(ABC):
    """Looks whether a table has a new version; its kinds keep what they read of it.

    Attributes:
        name: of the table.
        problem: why what is kept may not be the newest; empty if all is well.
        is_readable: whether the last look found a table that it could read, or none.
        n_looks: how often it was looked.
    """

    def __init__(self, lakehouse: str, spec: TableSpec) -> None:
        """Nothing is read before the first look."""
        self.name, self.problem, self.is_readable, self.n_looks = spec.path, "", True, 0
        self._uri = f"{lakehouse.rstrip('/')}/{spec.path}"
        self._seen: tuple[str, int] | None = None

    def look(self) -> None:
        """Read the table if it has a new version; an error becomes `problem`."""
        try:
            table = DeltaTable(self._uri)
            # A table made anew begins again with its versions.
            state = (str(table.metadata().id), table.version())
            if state != self._seen:
                self._keep(table)
                self._seen = state
            self.problem, self.is_readable = "", True
        except TableNotFoundError:
            self._seen = None
            self.problem, self.is_readable = self._forget(), True
        except Exception as error:
            # What is kept stays; what is wrong is one of the service's checks.
            problem = f"table {self.name} can't be read: {type(error).__name__}"
            if problem != self.problem:
                _log.warning("%s", problem)
            self.problem, self.is_readable = problem, False
        self.n_looks += 1

    @abstractmethod
    def _keep(self, table: DeltaTable) -> None:
        """Read what is kept of a version."""

    @abstractmethod
    def _forget(self) -> str:
        """Keep nothing, for there is no table; returns whether that is a problem, and which."""


class NewestPartition(TableWatch, Generic[Rows]):
    """Keeps the rows of a table's newest date; `look` exchanges them when the table has changed.

    Attributes:
        newest: None while there is no row.
    """

    def __init__(
        self,
        lakehouse: str,
        spec: TableSpec,
        read: Callable[[Sequence[RowFile], TableSpec], Rows],
    ) -> None:
        """Nothing is read before the first look.

        Args:
            lakehouse: with the table.
            spec: of a table that is partitioned by its date.
            read: what is kept of the files of a date.
        """
        super().__init__(lakehouse, spec)
        self.newest: Partition[Rows] | None = None
        (self._column,) = spec.partition_by
        self._spec, self._read = spec, read
        self._files: Sequence[_DayFile] = ()

    def current(self) -> Partition[Rows]:
        """The newest date.

        Raises:
            RequestError: while there is none, with status 503.
        """
        if self.newest is None:
            raise RequestError(self.problem or f"table {self.name} has no rows yet", 503)
        return self.newest

    def history(self, user_id: str) -> list[dict[str, Any]]:
        """A user's row of each of the newest dates of the scores, oldest first.

        Of 180 dates at most, and of fewer where their files are large. Of a date that several
        models have scored, the newest model's row counts.
        """
        by_day: dict[date, dict[str, Any]] = {}
        n_bytes, others = 0, [name for name in HISTORY_COLUMNS if name != self._column]
        wanted = set(sorted({one.day for one in self._files})[-_HISTORY_DATES:])
        for one in self._files:
            if one.day not in wanted or n_bytes > _HISTORY_BYTES:
                break
            n_bytes += one.n_bytes
            rows = one.file.find("user_id", user_id)
            found = one.file.take(rows, others).to_pylist() if len(rows) else []
            known = [by_day[one.day]] if one.day in by_day else []
            for row in sorted(
                [*known, *found], key=lambda row: version_order(row["model_version"])
            ):
                by_day[one.day] = {**row, self._column: one.day}
        return [by_day[day] for day in sorted(by_day)]

    def find_ids(self, day: date, user_ids: Collection[str]) -> set[str]:
        """Those ids that a date has a row of, shown or not."""
        found: set[str] = set()
        for one in self._files:
            if one.day == day:
                ids = one.file.read(["user_id"])["user_id"]
                wanted = pa.array([*user_ids], ids.type)
                found.update(ids.filter(pc.is_in(ids, wanted)).to_pylist())
        return found

    def _keep(self, table: DeltaTable) -> None:
        files = list_files(table, self._column)
        self.newest, self._files = self._read_newest(files), files

    def _forget(self) -> str:
        self.newest, self._files = None, ()
        return f"no table {self.name} yet: run `nightly`"

    def _read_newest(self, files: Sequence[_DayFile]) -> Partition[Rows] | None:
        if not files:
            return None
        of_day = [one for one in files if one.day == files[0].day]
        rows = self._read([one.file for one in of_day], self._spec)
        # What reading took is given back: the next date comes in a day.
        pa.default_memory_pool().release_unused()
        return Partition(files[0].day, rows, max(one.written_at for one in of_day))


class LogStart(TableWatch):
    """Keeps the first date of the log, which some features count from, and what is beside it.

    Attributes:
        day: None while there is no log.
        out_of_place: dates of wrong clocks, whose events no feature counts.
    """

    def __init__(self, lakehouse: str) -> None:
        """Nothing is read before the first look."""
        super().__init__(lakehouse, LOG_DATES)
        self.day: date | None = None
        self.out_of_place: frozenset[date] = frozenset()

    def _keep(self, table: DeltaTable) -> None:
        dates = table.to_pyarrow_dataset()

        def days_of(place: str) -> pa.ChunkedArray:
            return dates.to_table(["event_date"], filter=pc.field("place") == place)["event_date"]

        self.day = pc.min(days_of(IN_LOG)).as_py()
        self.out_of_place = frozenset(days_of(OUT_OF_PLACE).to_pylist())

    def _forget(self) -> str:
        self.day, self.out_of_place = None, frozenset()
        return ""


def version_order(version: str) -> tuple[int, str]:
    """What sorts the registry's versions: 10 comes after 9."""
    return (int(version) if version.isdecimal() else -1, version)


def read_all(files: Sequence[RowFile], spec: TableSpec) -> pa.Table:
    """All rows of a date, without the date; of a table that has few."""
    columns = [name for name in files[0].schema.names if name not in spec.partition_by]
    return pa.concat_tables([file.read(columns) for file in files])


def list_files(table: DeltaTable, column: str) -> list[_DayFile]:
    """The files of a table that is partitioned by a date, the newest date first."""
    about = pa.table(table.get_add_actions(flatten=True)).to_pydict()
    dataset = table.to_pyarrow_dataset()
    written = dict(zip(about["path"], about["modification_time"], strict=True))
    sizes = dict(zip(about["path"], about["size_bytes"], strict=True))
    found = []
    for fragment in dataset.get_fragments():
        day = get_partition_keys(fragment.partition_expression)[column]
        at = written[fragment.path]
        instant = at if isinstance(at, datetime) else datetime.fromtimestamp(at / 1000, UTC)
        file = RowFile(fragment, dataset.schema)
        found.append(_DayFile(day, file, instant.replace(tzinfo=UTC), sizes[fragment.path]))
    return sorted(found, key=lambda one: (one.day, one.file.fragment.path), reverse=True)
