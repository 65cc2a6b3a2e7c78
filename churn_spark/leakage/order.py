"""Labels that can be read off ids or the order of the rows."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pandas as pd

from churn_spark.config import LeakageConfig
from churn_spark.leakage.auc import auc_limit, auc_within, count_users
from churn_spark.leakage.table import FeatureTable, Finding, labels_of

_MAX_RUN_Z = 6.0


def check_order(table: FeatureTable, limits: LeakageConfig) -> Iterator[Finding]:
    """User ids, or places in the table, that rank the labels; cancellers that stand together."""
    rows = table.labelled
    is_positive, dates = labels_of(rows), rows["as_of"].to_numpy()
    limit = auc_limit(
        limits.max_order_auc, *count_users(rows["user_id"].to_numpy(), is_positive), limits.z
    )
    orders = {"user_id": _id_order(rows), "row number": np.arange(len(rows), dtype=float)}
    for name, order in orders.items():
        auc = auc_within(order, is_positive, dates)
        if max(auc, 1 - auc) > limit:
            yield Finding(
                "order",
                name,
                max(auc, 1 - auc),
                limit,
                f"{name} ranks the cancellations with AUC {max(auc, 1 - auc):.3f}: rows or ids "
                "were given out knowing the outcome",
            )
    yield from _find_runs(rows)


def _id_order(rows: pd.DataFrame) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Place of each id: as a number where all are numbers, else as text."""
    ids = rows["user_id"].astype(str)
    numbers = pd.to_numeric(ids, errors="coerce")
    ordered = ids if numbers.isna().any() else numbers
    return ordered.rank(method="dense").to_numpy(dtype=float)


def _find_runs(rows: pd.DataFrame) -> Iterator[Finding]:
    """Neighbouring rows of two users on one date that both cancel, more often than by chance."""
    is_positive, dates, users = labels_of(rows), rows["as_of"], rows["user_id"]
    side_by_side = ((dates.shift() == dates) & (users.shift() != users)).to_numpy()
    rate = pd.Series(is_positive).groupby(dates.to_numpy()).transform("mean").to_numpy()
    expected = float((rate[side_by_side] ** 2).sum())
    found = int((is_positive[1:] & is_positive[:-1] & side_by_side[1:]).sum())
    # Poisson for rare labels; one pair more keeps tiny tables quiet.
    z = (found - 1 - expected) / math.sqrt(max(expected, 1.0))
    if z > _MAX_RUN_Z:
        yield Finding(
            "order",
            "row order",
            z,
            _MAX_RUN_Z,
            f"{found} times two neighbouring rows cancel, by chance {expected:.1f}: the rows lie "
            "in an order that knows the outcome",
        )
