"""Which features move the scores, and whether that is the same in every fold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import lightgbm
import numpy as np
from scipy.stats import rankdata

from churn_spark.arrays import Floats


@dataclass(frozen=True)
class FeatureImportance:
    """How much one feature matters, and how far that can be relied on.

    Attributes:
        feature: name.
        mean_abs_shap: mean size of its contribution in log-odds; each fold counts the same.
        share: of the sum over all features; 0 where nothing contributes.
        best_rank: its rank in the fold where it is highest; 1 is the largest contribution.
        worst_rank: its rank in the fold where it is lowest.
        variation: standard deviation over folds (of a sample) by the mean; none with one fold
            or where the feature never contributes.
        gain: share of the loss that its splits saved in training; measured on the rows of the
            fit, so it overrates features with many levels.
    """

    feature: str
    mean_abs_shap: float
    share: float
    best_rank: int
    worst_rank: int
    variation: float | None
    gain: float


def measure_importance(
    folds: Sequence[Floats], features: Sequence[str], gains: Sequence[float]
) -> list[FeatureImportance]:
    """The features by their mean contribution over the folds, largest first; ties keep order.

    A feature whose ranks lie far apart, or whose variation is near 1, matters by chance.

    Args:
        folds: SHAP values of each fold's own unseen rows, shape (rows, features) each.
        features: names, in the order of the columns.
        gains: of each feature, see `gain_shares`.

    Raises:
        ValueError: if there is no fold, one without rows, or one with other columns.
    """
    shapes = [fold.shape for fold in folds]
    if not folds or any(rows == 0 or columns != len(features) for rows, columns in shapes):
        raise ValueError(
            f"found folds of the shapes {shapes}, expected at least one with rows, each with "
            f"{len(features)} columns"
        )
    by_fold = np.stack([np.abs(fold).mean(axis=0) for fold in folds])
    ranks = np.stack([rankdata(-sizes, method="min") for sizes in by_fold]).astype(int)
    means = by_fold.mean(axis=0)
    total = float(means.sum())
    return [
        FeatureImportance(
            feature=features[column],
            mean_abs_shap=float(means[column]),
            share=float(means[column]) / total if total else 0.0,
            best_rank=int(ranks[:, column].min()),
            worst_rank=int(ranks[:, column].max()),
            variation=_variation(by_fold[:, column]),
            gain=float(gains[column]),
        )
        for column in np.argsort(-means, kind="stable")
    ]


def gain_shares(booster: lightgbm.Booster) -> list[float]:
    """Each feature's share of the loss that the splits saved, in the order of the matrix."""
    gains = booster.feature_importance("gain")
    total = float(gains.sum())
    return [float(gain) / total if total else 0.0 for gain in gains]


def _variation(sizes: Floats) -> float | None:
    mean = float(sizes.mean())
    return float(sizes.std(ddof=1)) / mean if len(sizes) > 1 and mean else None
