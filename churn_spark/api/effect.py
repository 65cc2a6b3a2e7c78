"""What lists and contacts have changed."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from churn_spark.contracts.tables import EFFECT
from churn_spark.evaluation.effect import users_needed
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.monitoring.performance import effect
from churn_spark.reports.night.data import records

_COLUMNS = [
    "campaign", "slice", "basis", "n_listed", "n_control", "saved", "low", "high", "always_low",
    "always_high", "cost", "net",
]  # fmt: skip


@dataclass(frozen=True)
class Effect:
    """The effect as `monitoring/effect` has it: nothing until the first week's labels are known.

    Attributes:
        rows: all of the table.
    """

    rows: pd.DataFrame

    @staticmethod
    def read(lakehouse: Lakehouse) -> Effect:
        """The effect that the nights of a lakehouse have measured; empty before the first."""
        return Effect(lakehouse.read_rows(EFFECT))

    def sentences(self) -> list[str]:
        """What has been found, in words; none where nothing is known yet."""
        return [*effect.describe_effect(records(self.rows))]

    def newest(self) -> pd.DataFrame:
        """The newest figures of the campaign that was looked at last, by part of the users.

        `saved` is the share of users who would have cancelled and have not: of all listed
        (`basis` listed), or of those who were reached (`contact`). `always_low` to `always_high`
        holds however often one looks, `low` to `high` at one look that was fixed beforehand.
        """
        found = effect.newest_total(records(self.rows))
        return pd.DataFrame(found, columns=_COLUMNS)

    def by_week(self) -> pd.DataFrame:
        """What each night knew of all listed users up to it, by campaign and share withheld."""
        is_total = (self.rows["period"] == effect.TOTAL) & (self.rows["slice"] == "all")
        total = self.rows[is_total & (self.rows["basis"] == effect.LISTED)]
        return total.sort_values("run_date", ignore_index=True)

    def users_needed(self, saving: float) -> int | None:
        """How many users it takes to tell a saving from none, at the shares found so far.

        Args:
            saving: share of the cancels, such as .3.

        Returns:
            Users of both arms; none where there is nothing to go by yet.
        """
        newest = effect.newest_total(records(self.rows))
        for row in newest:
            if row["slice"] == "all":
                counts = effect.part_of(row).counts
                return users_needed(counts, saving * counts.control.share)
        return None
