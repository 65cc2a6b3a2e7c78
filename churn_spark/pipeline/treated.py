"""Lists and contacts -> what the outcomes of users count whom a contact may have kept."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date as Date
from datetime import timedelta
from typing import Final

import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from churn_spark.config import LearningConfig
from churn_spark.contracts.tables import CONTACTS, RETENTION_LISTS, SNAPSHOTS
from churn_spark.contracts.tables.ml import CONTROL, LISTED
from churn_spark.evaluation.treated import (
    WEIGHT,
    campaign_starts,
    treatment_weights,
    weigh_rows,
    worked_from,
)
from churn_spark.lakehouse.frames import Rows, collect, to_spark
from churn_spark.lakehouse.selection import Between, Where
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.timeline import Horizon
from churn_spark.wording import count_of

_KEYS: Final = ["as_of", "user_id"]
_COLUMNS: Final = [*_KEYS, "campaign", "assignment", "control_share"]


def read_treatment(
    lakehouse: Lakehouse, dates: Collection[Date], config: LearningConfig
) -> pd.DataFrame | None:
    """What the outcomes of as-of dates count, where lists may have changed them; else none.

    Grain: (as_of, user_id), see `treatment_weights`. The lists come to the driver: as many rows as
    one is long, times the nights from the first list of a campaign to the end of the last window;
    40,000 in a year of lists of 100.
    """
    if config.is_lifetime:
        return None
    return read_weights(lakehouse, dates, config.labels.horizon, config.effect_days)


def read_weights(
    lakehouse: Lakehouse,
    dates: Collection[Date],
    horizon: Horizon,
    effect_days: int,
    known_by: Date | None = None,
) -> pd.DataFrame | None:
    """The same for any window, which is cut where no more is known."""
    if not dates:
        return None
    first, end = min(dates) - timedelta(days=effect_days - 1), horizon.end(max(dates))
    last = min(end, known_by or end) - timedelta(days=1)
    found = treatment_weights(
        read_worked_lists(lakehouse, first, last), dates, horizon, effect_days
    )
    return found if len(found) else None


def read_worked_lists(lakehouse: Lakehouse, first: Date, last: Date) -> pd.DataFrame:
    """The rows of lists from which users may have been contacted, up to a date.

    Of the campaigns that have a list from `first` to `last`, all lists from their beginning on.
    """
    named = [day for day in lakehouse.partition_values(CONTACTS, "list_date") if day <= last]
    lists = lakehouse.read_rows(RETENTION_LISTS, {"as_of": named}, ["as_of", "campaign"])
    campaigns = dict(lists.dropna().drop_duplicates().itertuples(index=False, name=None))
    starts = campaign_starts(campaigns, named)
    if not starts:
        return lists.iloc[:0].reindex(columns=_COLUMNS)
    recent: Where = {"as_of": Between(first, last), "campaign": sorted(starts)}
    acting = {*lakehouse.read_rows(RETENTION_LISTS, recent, ["campaign"])["campaign"]}
    # Who was left alone (docs/adr/0061) was neither listed nor withheld: nothing was done to them.
    within: Where = {
        "as_of": Between(min(starts.values()), last),
        "campaign": sorted(acting),
        "assignment": [LISTED, CONTROL],
    }
    return worked_from(lakehouse.read_rows(RETENTION_LISTS, within, _COLUMNS), starts)


def weigh(rows: Rows, changed: pd.DataFrame | None) -> Rows:
    """The rows with `weight`; as they are where nothing was changed.

    Args:
        rows: with `as_of` and `user_id`.
        changed: from `read_treatment`.
    """
    if changed is None:
        return rows
    if isinstance(rows, pd.DataFrame):
        return weigh_rows(rows, changed)
    named = rows.sparkSession.createDataFrame(
        changed[[*_KEYS, WEIGHT]], f"as_of date, user_id string, {WEIGHT} double"
    )
    joined = rows.join(F.broadcast(named), _KEYS, "left")
    return joined.withColumn(WEIGHT, F.coalesce(F.col(WEIGHT), F.lit(1.0)))


def counting(rows: Rows) -> Rows:
    """The rows that count, of rows that `weigh` has given."""
    if WEIGHT not in rows.columns:
        return rows
    if isinstance(rows, DataFrame):
        return rows.filter(F.col(WEIGHT) > 0)
    return rows[rows[WEIGHT] > 0].reset_index(drop=True)


@dataclass(frozen=True)
class Changed:
    """Rows whose outcome a contact may have changed.

    Attributes:
        n_left_out: of the listed.
        n_withheld: of the control groups.
        stands_for: how many rows the latter count as.
        n_unmatched: of campaigns without a control group, which count as it happened.
    """

    n_left_out: int
    n_withheld: int
    stands_for: float
    n_unmatched: int

    def describe(self) -> str:
        """For a closing line."""
        told = (
            f"{count_of(self.n_left_out, 'row')} of listed users left out, "
            f"{self.n_withheld:,} of withheld ones count as {self.stands_for:,.0f}"
        )
        if not self.n_unmatched:
            return told
        return (
            f"{told}; {count_of(self.n_unmatched, 'row')} of lists without control group count as "
            "it happened: calls that keep users make the risk look smaller than it is"
        )


def count_changed(rows: Rows, changed: pd.DataFrame, lakehouse: Lakehouse) -> Changed:
    """How many of the rows a contact may have changed."""
    keys = rows[[*_KEYS]]
    if isinstance(keys, DataFrame):
        keys = keys.join(to_spark(changed[_KEYS], SNAPSHOTS, lakehouse.spark), _KEYS)
    weights = collect(keys).merge(changed, on=_KEYS)[WEIGHT]
    return Changed(
        n_left_out=int((weights == 0).sum()),
        n_withheld=int((weights > 1).sum()),
        stands_for=float(weights[weights > 1].sum()),
        n_unmatched=int((weights == 1).sum()),
    )
