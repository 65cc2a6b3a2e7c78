"""What became of the users that a model has learnt from, as long as the log has watched them."""

from __future__ import annotations

from dataclasses import replace
from datetime import date as Date

import numpy as np
import pandas as pd
import polars as pl

from churn_spark.arrays import Floats
from churn_spark.contracts.tables import SESSION_DAYS
from churn_spark.lakehouse.selection import Between, Where
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.models.bundle import ModelBundle
from churn_spark.models.learnt_rows import LearntRows
from churn_spark.models.splits import STOPPING, TRAIN
from churn_spark.models.survival.pace import fit_pace
from churn_spark.models.training import MAX_SCORED_ROWS


def with_pace(
    lakehouse: Lakehouse, bundle: ModelBundle, described: LearntRows, known_by: Date
) -> ModelBundle:
    """The model with the pace of what happened after the dates that it has learnt from.

    Args:
        lakehouse: with the session days.
        bundle: the model.
        described: the rows of its training, with what its models of behaviour and fading say.
        known_by: all that happened before this date is known, and nothing else is used.
    """
    if not bundle.forecasts_cancels:
        return bundle
    rows = described.where("split", [TRAIN, STOPPING]).take(MAX_SCORED_ROWS)
    curves = replace(bundle, pace=None).curves(rows, bundle.probabilities(rows))
    gap_days = bundle.horizon.gap_days
    cancelled = days_to_cancel(rows, read_cancels(lakehouse), gap_days)
    known = pd.Timestamp(known_by) - pd.to_datetime(rows["as_of"])
    watched = known.dt.days.to_numpy(dtype=np.float64) - np.float64(gap_days)
    return replace(bundle, pace=fit_pace(curves, cancelled, watched))


def read_cancels(lakehouse: Lakehouse) -> pd.Series:
    """The date of the first cancellation of each user who cancelled, by user id."""
    are_there: Where = {"cancel_ts": Between()}
    rows = pl.DataFrame(lakehouse.read_arrow(SESSION_DAYS, are_there, ["user_id", "cancel_ts"]))
    first = rows.group_by("user_id").agg(pl.col("cancel_ts").min().dt.date()).to_pandas()
    return pd.Series(pd.to_datetime(first["cancel_ts"]).to_numpy(), first["user_id"].to_numpy())


def days_to_cancel(rows: pd.DataFrame, cancels: pd.Series, gap_days: int) -> Floats:
    """Days from the begin of each row's window to noon of the cancellation; infinity without one.

    Args:
        rows: as_of, user_id.
        cancels: date of the cancellation by user id.
        gap_days: from the as-of date to the begin of the window.
    """
    later = rows["user_id"].map(cancels) - pd.to_datetime(rows["as_of"])
    days = later.dt.days.to_numpy(dtype=np.float64) - gap_days + 0.5
    return np.where(np.isnan(days), np.inf, days)
