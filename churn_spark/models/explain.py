"""Why a score is what it is: the trees' own SHAP contributions, in words."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import lightgbm
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from churn_spark.features.spec import Feature

Value = float | str | None


def contributions(booster: lightgbm.Booster, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """SHAP values in log-odds, shape (rows, features); what is common to all rows is left out.

    Source: Lundberg et al., "Consistent individualized feature attribution for tree ensembles"
    (2018), as LightGBM computes it with `pred_contrib`.
    """
    return np.asarray(booster.predict(matrix, pred_contrib=True, num_threads=1))[:, :-1]


def reasons(
    rows: pd.DataFrame,
    shap_values: NDArray[np.float64],
    features: Sequence[Feature],
    typical: Mapping[str, float | str | None],
    n_reasons: int,
) -> list[list[str]]:
    """The largest contributions of each row as sentences, largest first; zeros are no reason.

    Args:
        rows: feature values as people know them, not encoded.
        shap_values: shape (rows, features), columns in the order of `features`.
        features: their declarations, with the phrases.
        typical: feature -> median or most frequent level of the training rows.
        n_reasons: at most this many per row.
    """
    largest = np.argsort(-np.abs(shap_values), axis=1, kind="stable")[:, :n_reasons]
    values = [rows[feature.name].to_numpy() for feature in features]
    return [
        [
            describe(features[column], values[column][row], typical[features[column].name])
            + (": raises the risk" if shap_values[row, column] > 0 else ": lowers the risk")
            for column in columns
            if shap_values[row, column] != 0
        ]
        for row, columns in enumerate(largest)
    ]


def describe(feature: Feature, value: Value, typical: Value) -> str:
    """`visited Downgrade 4 times (typical: 0)`."""
    if pd.isna(value):
        return f"{feature.meaning} unknown"
    text = feature.phrase.format(
        value=_in_words(value, feature.unit), typical=_in_words(typical, feature.unit)
    )
    return re.sub(r"(?<![\d,.])1 (time|session|song|friend|day)s\b", r"1 \1", text)


def _in_words(value: Value, unit: str) -> str:
    if isinstance(value, str):
        return value
    if value is None or pd.isna(value):
        return "unknown"
    number = float(value)
    if unit == "seconds":
        return f"{number / 3600:,.1f} hours"
    if unit == "songs/session":
        return f"{number:,.1f}"
    return f"{number:,.0f}"
