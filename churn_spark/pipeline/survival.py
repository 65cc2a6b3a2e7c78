"""What became of the users that no model has learnt from, as long as the log has watched them."""

from __future__ import annotations

from dataclasses import replace
from datetime import date as Date

import numpy as np
import pandas as pd

from churn_spark.contracts.survival import CAP_DAYS
from churn_spark.evaluation.treated import weigh_rows, weights_in
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.models.bundle import ModelBundle
from churn_spark.models.learnt_rows import LearntRows
from churn_spark.models.splits import VALIDATION
from churn_spark.models.survival.checked import check_curves
from churn_spark.models.training import MAX_SCORED_ROWS
from churn_spark.pipeline.treated import read_weights
from churn_spark.stores.cancels import days_to_cancel, read_cancels
from churn_spark.timeline import Horizon


def with_checked_curves(
    lakehouse: Lakehouse,
    bundle: ModelBundle,
    described: LearntRows,
    known_by: Date,
    effect_days: int,
) -> ModelBundle:
    """The model with its curves held against what its validation users did after earlier dates.

    Users are followed beyond the window that the model learns from, so contacts may have kept more
    of them: what happened is weighted by all lists up to the end of the curves.

    Args:
        lakehouse: with the session days, lists and contacts.
        bundle: the model.
        described: the rows of its training, with what its models of behaviour and fading say.
        known_by: all that happened before this date is known, and nothing else is used.
        effect_days: how long after a list's date a contact may still change what happens.
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
    horizon = Horizon(days=CAP_DAYS, gap_days=gap_days)
    changed = read_weights(lakehouse, {*rows["as_of"]}, horizon, effect_days, known_by)
    weights = weights_in(weigh_rows(rows, changed)) if changed is not None else None
    return replace(bundle, checked=check_curves(curves, cancelled, watched, counts, weights))
