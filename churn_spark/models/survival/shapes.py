"""What the models of behaviour and of fading say of users -> curves in the shape of their hazards.

A model's hazard counts by the share that it has in the log-odds where the trees begin; it is
measured by what the model itself says of the label's window, so that only its shape comes in.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from churn_spark.arrays import Floats
from churn_spark.contracts.survival import SURVIVAL_DAYS, survival_columns
from churn_spark.models.offset import Offset
from churn_spark.models.survival.curves import Curves

_MODELS: Final = ("behaviour", "fading")
_SMALLEST: Final = 1e-12


def knots_of(window_days: int) -> Floats:
    """The days at which hazards are summed: those that are told, and the end of the window."""
    return np.array(sorted({*SURVIVAL_DAYS, window_days}), dtype=np.float64)


def shape_of(rows: pd.DataFrame, offset: Offset | None, window_days: int) -> Curves:
    """The curve of each row, of size 1 at the end of the window.

    Where no model tells a shape, or none of a user, the hazard is even.

    Args:
        rows: with the columns of the models' forecasts, where there are any.
        offset: of the trees; its slopes weigh the models.
        window_days: length of the label's window.
    """
    days = knots_of(window_days)
    total, weights = np.zeros((len(rows), len(days))), np.zeros(len(rows))
    for model in _MODELS:
        weight = 0.0 if offset is None else offset.slopes.get(f"{model}_probability", 0.0)
        if weight > 0.0 and {*survival_columns(model)} <= set(rows.columns):
            found = _relative_hazards(rows, model, days)
            is_known = np.isfinite(found).all(axis=1)
            total[is_known] += weight * found[is_known]
            weights[is_known] += weight
    even = np.broadcast_to(days / window_days, total.shape)
    known = np.divide(total, weights[:, None], out=even.copy(), where=weights[:, None] > 0.0)
    return Curves(days, known)


def _relative_hazards(rows: pd.DataFrame, model: str, days: Floats) -> Floats:
    """A model's cumulative hazard over that of its window; NaN where it says nothing."""

    def hazards(names: list[str], *, of_cancels: bool) -> Floats:
        chances = rows[names].to_numpy(dtype=np.float64, na_value=np.nan)
        staying = 1.0 - chances if of_cancels else chances
        return np.asarray(-np.log(np.maximum(staying, _SMALLEST)))

    own = hazards([f"{model}_probability"], of_cancels=True)
    staying = hazards([*survival_columns(model)], of_cancels=False)
    told = dict(zip(SURVIVAL_DAYS, staying.T, strict=True))
    found = np.column_stack([told.get(int(day), own[:, 0]) for day in days])
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.maximum.accumulate(found, axis=1) / own)
