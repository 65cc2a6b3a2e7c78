"""Totals of a silver table before a few weekly cuts: kept, brought forward, made anew if need be.

Whether totals still are those of the log is told by the files that they were made of, which never
change: late events put others in their place. Then totals of an older cut are the newest that
hold, and are brought forward from there. A run that is killed leaves totals of whole cuts only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

import polars as pl

from churn_spark.contracts.tables import TableSpec
from churn_spark.hashing import content_hash
from churn_spark.lakehouse.selection import Between
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.timeline import days_after

N_KEPT: Final = 4
"""Cuts, the newest ones: nights that are done again are those of the last weeks."""

_STEP_DAYS: Final = 56
"""Days that are in memory at once when totals of a long log are made anew."""

Files = Sequence[tuple[date, str]]


@dataclass(frozen=True)
class KeptTotals:
    """What is kept, and how it comes about.

    Attributes:
        table: partitioned by the cut, `before`; `made_of` tells of which files and definitions.
        source: partitioned by `event_date`.
        definition: hash of what decides the totals beside the rows.
        nothing: the totals before the log began.
        add: rows of the source from a cut on, totals of that cut, a later cut, `made_of` -> totals
            of the later cut.
    """

    table: TableSpec
    source: TableSpec
    definition: str
    nothing: Callable[[], pl.DataFrame]
    add: Callable[[pl.DataFrame, pl.DataFrame, date, str], pl.DataFrame]

    def read(self, lakehouse: Lakehouse, cut: date) -> pl.DataFrame:
        """The totals before a cut; kept, if no later ones are and the lakehouse may be written."""
        files = lakehouse.data_files(self.source, "event_date")
        cuts = lakehouse.partition_values(self.table, "before")
        begin, totals = self._newest_that_hold(lakehouse, [c for c in cuts if c <= cut], files)
        first = begin or min((day for day, _ in files), default=cut)
        while first < cut:
            end = min(days_after(first, _STEP_DAYS), cut)
            rows = self.read_days(lakehouse, first, end)
            totals, first = self.add(rows, totals, end, self._made_of(files, end)), end
            is_newest = first == cut and cut >= max(cuts, default=cut)
            if is_newest and not lakehouse.is_read_only:
                self._keep(lakehouse, totals, cut, cuts)
        return totals

    def count(self, lakehouse: Lakehouse, cut: date) -> int:
        """Rows of the newest totals that are kept before a cut; none where none are."""
        cuts = [one for one in lakehouse.partition_values(self.table, "before") if one <= cut]
        return lakehouse.count_rows(self.table, {"before": cuts[-1:]})

    def read_days(self, lakehouse: Lakehouse, first: date, end: date) -> pl.DataFrame:
        """The rows of the source in `[first, end)`."""
        where = {"event_date": Between(first, end - timedelta(days=1))}
        return pl.DataFrame(lakehouse.read_arrow(self.source, where))

    def _keep(
        self, lakehouse: Lakehouse, totals: pl.DataFrame, cut: date, cuts: Sequence[date]
    ) -> None:
        """Write the totals in the place of those of their cut and of cuts that are too old."""
        others = [one for one in cuts if one != cut]
        too_old = others[: max(0, len(others) - N_KEPT + 1)]
        lakehouse.replace_rows(totals.to_arrow(), self.table, {"before": [cut, *too_old]})

    def _newest_that_hold(
        self, lakehouse: Lakehouse, cuts: Sequence[date], files: Files
    ) -> tuple[date | None, pl.DataFrame]:
        """A cut and its totals; nothing before the first day where none hold."""
        for cut in reversed(cuts):
            totals = pl.DataFrame(lakehouse.read_arrow(self.table, {"before": [cut]}))
            if totals["made_of"][0] == self._made_of(files, cut):
                return cut, totals
        return None, self.nothing()

    def _made_of(self, files: Files, cut: date) -> str:
        paths = [path for day, path in files if day < cut]
        return content_hash([self.definition, self.table.column_names, paths])
