"""Single columns that forecast better than any honest model could."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from churn_spark.arrays import Floats
from churn_spark.config import LeakageConfig
from churn_spark.evaluation.folds import deal_folds
from churn_spark.leakage.auc import auc_limit, auc_within, count_users
from churn_spark.leakage.table import (
    FeatureTable,
    Finding,
    labels_of,
    matrix_of,
)

_FOLDS = 3
_SMOOTHING = 20.0


def check_strength(table: FeatureTable, limits: LeakageConfig) -> Iterator[Finding]:
    """Columns whose values, or whose gaps, rank the labels too well, up or down."""
    rows = table.labelled
    is_positive, dates = labels_of(rows), rows["as_of"].to_numpy()
    n_users = count_users(rows["user_id"].to_numpy(), is_positive)
    for name in table.features:
        cap = limits.max_forecast_auc if name in table.forecasts else limits.max_feature_auc
        limit = auc_limit(cap, *n_users, limits.z)
        values = (
            matrix_of(rows, [name])[:, 0]
            if name in table.numeric
            else _encode_out_of_fold(rows, name)
        )
        missing = rows[name].isna().to_numpy(dtype=float)
        for what, column in ((name, values), (f"whether {name} is missing", missing)):
            auc = auc_within(column, is_positive, dates)
            strength = max(auc, 1 - auc)
            if strength > limit:
                yield Finding(
                    "strength",
                    name,
                    strength,
                    limit,
                    f"{what} alone ranks the cancellations with AUC {strength:.3f}, where at most "
                    f"{cap:.2f} is believed ({limit:.3f} with chance)",
                )


def _encode_out_of_fold(rows: pd.DataFrame, name: str) -> Floats:
    """Each category as the cancelled share of other users of it, shrunken to that of all."""
    label = rows["label"].to_numpy(dtype=float)
    category = rows[name].astype("object").where(rows[name].notna(), "").to_numpy()
    _, user, n_rows = np.unique(rows["user_id"].to_numpy(), return_inverse=True, return_counts=True)
    encoded = np.full(len(rows), np.nan)
    if len(n_rows) < _FOLDS:
        return encoded
    most_rows_first = np.argsort(n_rows, kind="stable")[::-1]
    fold = deal_folds(most_rows_first, n_rows, _FOLDS)[user]
    for number in range(_FOLDS):
        held_out, fitted = fold == number, fold != number
        known = pd.Series(label[fitted]).groupby(category[fitted])
        prior = float(label[fitted].mean())
        means = (known.sum() + _SMOOTHING * prior) / (known.size() + _SMOOTHING)
        # Less the prior: it is lower where more of the held-out users cancel.
        encoded[held_out] = pd.Series(category[held_out]).map(means).fillna(prior) - prior
    return encoded
