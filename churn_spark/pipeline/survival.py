"""What became of the users that no model has learnt from, as long as the log has watched them."""

from __future__ import annotations

from dataclasses import replace
from datetime import date as Date

import numpy as np
import pandas as pd

from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.models.bundle import ModelBundle
from churn_spark.models.learnt_rows import LearntRows
from churn_spark.models.splits import VALIDATION
from churn_spark.models.survival.checked import check_curves
from churn_spark.models.training import MAX_SCORED_ROWS
from churn_spark.stores.cancels import days_to_cancel, read_cancels


def with_checked_curves(
    lakehouse: Lakehouse, bundle: ModelBundle, described: LearntRows, known_by: Date
) -> ModelBundle:
    """The model with its curves held against what its validation users did after earlier dates.

    Args:
        lakehouse: with the session days.
        bundle: the model.
        described: the rows of its training, with what its models of behaviour and fading say.
        known_by: all that happened before this date is known, and nothing else is used.
    """
    if not bundle.forecasts_cancels:
        return bundle
    rows = described.where("split", [VALIDATION]).take(MAX_SCORED_ROWS)
    curves = bundle.curves(rows, bundle.probabilities(rows))
    gap_days = bundle.horizon.gap_days
    cancelled = days_to_cancel(rows, read_cancels(lakehouse), gap_days)
    known = pd.Timestamp(known_by) - pd.to_datetime(rows["as_of"])
    watched = known.dt.days.to_numpy(dtype=np.float64) - np.float64(gap_days)
    counts = 1.0 / rows.groupby("user_id")["as_of"].transform("size").to_numpy(dtype=np.float64)
    return replace(bundle, checked=check_curves(curves, cancelled, watched, counts))
