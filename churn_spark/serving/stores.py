"""The tables that the service shows, read without Spark: newest scores and newest drift."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable
from deltalake.exceptions import TableNotFoundError

from churn_spark.contracts.places import IN_LOG
from churn_spark.contracts.tables import LOG_DATES, TableSpec
from churn_spark.errors import RequestError

HISTORY_COLUMNS: Final = ("as_of", "churn_probability", "risk_band", "risk_rank", "model_version")
_HISTORY_DATES: Final = 180
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Partition:
    """The newest date of a table.

    Attributes:
        day: the date.
        rows: all of it, in memory.
        written_at: when the newest of its files was written, UTC.
    """

    day: date
    rows: pa.Table
    written_at: datetime


class NewestPartition:
    """Keeps the rows of a table's newest date; `look` exchanges them when the table has changed.

    Attributes:
        newest: None while there is no row.
        problem: why there is nothing newer; empty if all is well.
    """

    def __init__(self, lakehouse: str, spec: TableSpec) -> None:
        """Nothing is read before the first look.

        Args:
            lakehouse: with the table.
            spec: of a table that is partitioned by its date.
        """
        self.newest: Partition | None = None
        self.problem = ""
        (self._column,) = spec.partition_by
        self.name = f"{spec.layer}/{spec.name}"
        self._uri = f"{lakehouse.rstrip('/')}/{self.name}"
        self._seen: int | None = None

    def look(self) -> None:
        """Read the newest date if the table has a new version; an error becomes `problem`."""
        try:
            table = DeltaTable(self._uri)
            if table.version() != self._seen:
                self.newest, self._seen = read_newest(table, self._column), table.version()
            self.problem = ""
        except TableNotFoundError:
            self.newest, self._seen = None, None
            self.problem = f"no table {self.name} yet: run `nightly`"
        except Exception as error:
            # The rows there are stay; what is wrong is said wherever they are shown.
            problem = f"table {self.name} can't be read: {type(error).__name__}"
            if problem != self.problem:
                _log.warning("%s", problem)
            self.problem = problem

    def current(self) -> Partition:
        """The newest date.

        Raises:
            RequestError: while there is none, with status 503.
        """
        if self.newest is None:
            raise RequestError(self.problem or f"table {self.name} has no rows yet", 503)
        return self.newest

    def history(self, user_id: str) -> list[dict[str, Any]]:
        """A user's row of each of the newest dates of the scores, oldest first.

        Of a date that several models have scored, the newest model's row counts.
        """
        table = DeltaTable(self._uri)
        days = sorted(newest_files(table, self._column))[-_HISTORY_DATES:]
        if not days:
            return []
        # The dataset knows the date of each file, so older files are not opened.
        is_wanted = (pc.field(self._column) >= days[0]) & (pc.field("user_id") == user_id)
        rows = table.to_pyarrow_dataset().to_table(list(HISTORY_COLUMNS), filter=is_wanted)
        found = sorted(rows.to_pylist(), key=lambda row: version_order(row["model_version"]))
        by_day = {row[self._column]: row for row in found}
        return [by_day[day] for day in sorted(by_day)]


class LogStart:
    """Keeps the first date of the log, which some features count from.

    Attributes:
        day: None while there is no log.
    """

    def __init__(self, lakehouse: str) -> None:
        """Nothing is read before the first look."""
        self.day: date | None = None
        self._uri = f"{lakehouse.rstrip('/')}/{LOG_DATES.path}"
        self._seen: int | None = None

    def look(self) -> None:
        """Read the dates if the table has a new version; what can't be read leaves the day."""
        try:
            table = DeltaTable(self._uri)
            if table.version() != self._seen:
                is_in_log = pc.field("place") == IN_LOG
                days = table.to_pyarrow_dataset().to_table(["event_date"], filter=is_in_log)
                self.day = pc.min(days["event_date"]).as_py()
                self._seen = table.version()
        except TableNotFoundError:
            self._seen = None
        except Exception as error:
            _log.warning("table log_dates can't be read: %s", type(error).__name__)


def version_order(version: str) -> tuple[int, str]:
    """What sorts the registry's versions: 10 comes after 9."""
    return (int(version) if version.isdecimal() else -1, version)


def read_newest(table: DeltaTable, column: str) -> Partition | None:
    """The rows of the newest date of a table that is partitioned by date."""
    days = newest_files(table, column)
    if not days:
        return None
    newest = max(days)
    rows = table.to_pyarrow_dataset().to_table(filter=pc.field(column) == newest)
    return Partition(newest, rows, datetime.fromtimestamp(days[newest] / 1000, UTC))


def newest_files(table: DeltaTable, column: str) -> dict[date, int]:
    """Date -> when its newest file was written, in milliseconds since the epoch."""
    files = pa.table(table.get_add_actions(flatten=True))
    written: dict[date, int] = {}
    modified = pc.cast(files["modification_time"], pa.int64()).to_pylist()
    for text, at in zip(files[f"partition.{column}"].to_pylist(), modified, strict=True):
        day = date.fromisoformat(str(text))
        written[day] = max(at, written.get(day, 0))
    return written
