"""When users cancelled, from the session days."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl

from churn_spark.arrays import Floats
from churn_spark.contracts.tables import SESSION_DAYS
from churn_spark.lakehouse.selection import Between, Where
from churn_spark.lakehouse.tables import Lakehouse


def read_cancels(lakehouse: Lakehouse) -> pd.Series:
    """The date of the first cancellation of each user who cancelled, by user id."""
    are_there: Where = {"cancel_ts": Between()}
    rows = pl.DataFrame(lakehouse.read_arrow(SESSION_DAYS, are_there, ["user_id", "cancel_ts"]))
    first = rows.group_by("user_id").agg(pl.col("cancel_ts").min().dt.date()).to_pandas()
    return pd.Series(pd.to_datetime(first["cancel_ts"]).to_numpy(), first["user_id"].to_numpy())


def days_to_cancel(rows: pd.DataFrame, cancels: pd.Series, gap_days: int) -> Floats:
    """Days from the start of each row's window to noon of the cancellation; infinity without one.

    Args:
        rows: as_of, user_id.
        cancels: date of the cancellation by user id.
        gap_days: from the as-of date to the start of the window.
    """
    later = rows["user_id"].map(cancels) - pd.to_datetime(rows["as_of"])
    days = later.dt.days.to_numpy(dtype=np.float64) - gap_days + 0.5
    return np.where(np.isnan(days), np.inf, days)
