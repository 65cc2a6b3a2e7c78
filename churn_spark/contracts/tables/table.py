"""One table: its columns and their meanings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from churn_spark.contracts.features.spec import Feature

BUCKETS: Final = "churn_spark.buckets"
"""Property of a table that is cut by user: the number of its buckets."""

KEY_CHECK: Final = "churn_spark.key_check"
"""Property of a table with pseudonyms in the place of user ids: what tells their key apart."""


@dataclass(frozen=True)
class Column:
    """One column: its name, a short type name and its meaning."""

    name: str
    data_type: str
    meaning: str


@dataclass(frozen=True)
class TableSpec:
    """One Delta table.

    Attributes:
        layer: folder below the lakehouse: bronze, silver, gold, ml or monitoring.
        name: folder below the layer.
        grain: what one row is.
        columns: in order.
        partition_by: columns that are replaced as a whole.
        skipping_columns: columns whose ranges Delta keeps per file; empty keeps its default.
        has_change_feed: whether later steps ask which rows changed since a version.
        n_buckets: where rows are cut by their user, into how many parts; fixed with the table.
        key_check: where user ids are pseudonyms, what tells their key apart; fixed with the table.
    """

    layer: str
    name: str
    grain: str
    columns: tuple[Column, ...]
    partition_by: tuple[str, ...] = ()
    skipping_columns: tuple[str, ...] = ()
    has_change_feed: bool = False
    n_buckets: int | None = None
    key_check: str | None = None

    @property
    def path(self) -> str:
        """Where the table is, below the lakehouse."""
        return f"{self.layer}/{self.name}"

    @property
    def column_names(self) -> list[str]:
        """Names, in order."""
        return [column.name for column in self.columns]

    @property
    def properties(self) -> dict[str, str]:
        """Delta's properties of the table."""
        found = {}
        if self.has_change_feed:
            found["delta.enableChangeDataFeed"] = "true"
        if self.skipping_columns:
            found["delta.dataSkippingStatsColumns"] = ",".join(self.skipping_columns)
        if self.n_buckets:
            found[BUCKETS] = str(self.n_buckets)
        if self.key_check:
            found[KEY_CHECK] = self.key_check
        return found


def feature_column(feature: Feature) -> Column:
    """The column of a feature, as its declaration describes it."""
    return Column(
        feature.name, feature.data_type, f"{feature.meaning} ({feature.unit or 'category'})"
    )
