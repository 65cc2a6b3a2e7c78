"""Snapshots and session days -> `labels`: of new dates, and of those that have ripened."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import date as Date
from typing import Final

import polars as pl

from churn_spark.config import LearningConfig
from churn_spark.contracts.tables import LABELS, SESSION_DAYS, SNAPSHOTS
from churn_spark.features.labels import build_labels
from churn_spark.lakehouse.selection import Between, Where
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.timeline import Horizon

_ROWS_A_COMMIT: Final = 2_000_000
"""That are held at once: .2 GB."""


def write_labels(
    lakehouse: Lakehouse, dates: Collection[Date], horizon: Horizon, log_end: Date
) -> list[Date]:
    """Replace the labels of the dates, and of those whose labels are known since the last run.

    Returns:
        All dates that were labelled.
    """
    labelled = sorted({*dates, *find_unripe_dates(lakehouse, horizon, log_end)})
    are_there: Where = {"cancel_ts": Between()}
    cancelled = pl.DataFrame(
        lakehouse.read_arrow(SESSION_DAYS, are_there, ["user_id", "cancel_ts"])
    )
    for some in _parts(lakehouse, labelled):
        population = lakehouse.read_arrow(SNAPSHOTS, {"as_of": some}, ["as_of", "user_id"])
        labels = build_labels(pl.DataFrame(population), cancelled, horizon, log_end)
        lakehouse.replace_rows(labels.to_arrow(), LABELS, {"as_of": some, **horizon_of(horizon)})
    return labelled


def find_unlabelled(lakehouse: Lakehouse, dates: Collection[Date], horizon: Horizon) -> set[Date]:
    """Those of the dates that have no labels yet."""
    where: Where = {"as_of": dates, **horizon_of(horizon)}
    return {*dates} - {*lakehouse.read_rows(LABELS, where, ["as_of"])["as_of"]}


def find_unripe_dates(lakehouse: Lakehouse, horizon: Horizon, log_end: Date) -> list[Date]:
    """The as-of dates whose labels were not known when they were built, and are now."""
    newest_known = horizon.newest_known(log_end)
    # A label that isn't known is null: the log names the few dates that have such.
    with_nulls = lakehouse.partition_values(LABELS, "as_of", null_in="label")
    dates = [one for one in with_nulls if one <= newest_known]
    where: Where = {"as_of": dates, "is_known": [False], **horizon_of(horizon)}
    return sorted(set(lakehouse.read_rows(LABELS, where, ["as_of"])["as_of"]))


def count_gap_cancels(lakehouse: Lakehouse, dates: Collection[Date], config: LearningConfig) -> int:
    """Users of the dates who cancel before the window starts: neither learnt from nor judged."""
    where: Where = {"as_of": dates, "is_gap_cancel": [True], **horizon_of(config.labels.horizon)}
    return lakehouse.count_rows(LABELS, where)


def horizon_of(horizon: Horizon) -> Where:
    """The labels of one window and gap."""
    return {"horizon_days": [horizon.days], "gap_days": [horizon.gap_days]}


def _parts(lakehouse: Lakehouse, dates: list[Date]) -> Iterator[list[Date]]:
    part: list[Date] = []
    n_rows = 0
    for one in dates:
        n_users = lakehouse.count_rows(SNAPSHOTS, {"as_of": [one]})
        if part and n_rows + n_users > _ROWS_A_COMMIT:
            yield part
            part, n_rows = [], 0
        part.append(one)
        n_rows += n_users
    yield part
