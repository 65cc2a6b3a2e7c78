"""Curves over all thresholds, and calibration bins: pure functions of labels and probabilities."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from churn_spark.models.errors import wilson_interval
from churn_spark.models.metrics import FloatArray, precision_recall_points

_MAX_POINTS = 400


@dataclass(frozen=True)
class Bin:
    """A group of users with similar probabilities.

    Attributes:
        predicted: mean probability.
        observed: share that cancelled.
        low: of the 95 % interval of that share.
        high: of the 95 % interval of that share.
        n: rows.
    """

    predicted: float
    observed: float
    low: float
    high: float
    n: int


def counts_above(
    labels: FloatArray, probabilities: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Thresholds descending from infinity, rows at or above each, cancellers among them.

    One for every distinct probability, after infinity for nobody.
    """
    order = np.argsort(-probabilities, kind="stable")
    last_of_value = np.flatnonzero(np.append(np.diff(probabilities[order]) != 0, True))
    n_found = np.append(0, np.cumsum(labels[order] == 1)[last_of_value])
    thresholds = np.append(np.inf, probabilities[order][last_of_value])
    return thresholds, np.append(0, last_of_value + 1), n_found


def roc_points(labels: FloatArray, probabilities: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Share of stayers and share of cancellers above each threshold, from (0, 0) to (1, 1).

    Both classes must be present.
    """
    _, n_above, n_found = counts_above(labels, probabilities)
    n_cancels = n_found[-1]
    stayers = (n_above - n_found) / (n_above[-1] - n_cancels)
    return thinned(stayers, n_found / n_cancels)


def gains_points(labels: FloatArray, probabilities: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Share of rows contacted and share of cancellers among them, from (0, 0) to (1, 1).

    Straight between distinct probabilities: the mean over all orders of equal ones. There must
    be a canceller.
    """
    _, n_above, n_found = counts_above(labels, probabilities)
    return thinned(n_above / n_above[-1], n_found / n_found[-1])


def pr_points(labels: FloatArray, probabilities: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Recall and precision at each threshold, recall ascending; there must be a canceller."""
    _, precision, recall = precision_recall_points(labels, probabilities)
    return thinned(recall[::-1], precision[::-1])


def thinned(x: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray]:
    """At most 400 of the points, evenly spread along x, the first and the last among them."""
    if len(x) <= _MAX_POINTS:
        return x, y
    wanted = np.linspace(x[0], x[-1], _MAX_POINTS)
    kept = np.unique(np.clip(np.searchsorted(x, wanted), 0, len(x) - 1))
    kept = np.union1d(kept, [0, len(x) - 1])
    return x[kept], y[kept]


def reliability_bins(
    labels: FloatArray, probabilities: FloatArray, users: FloatArray, max_bins: int = 20
) -> tuple[Bin, ...]:
    """Groups of equal size by rising probability, with predicted and observed shares.

    As many groups as leave about ten cancellers to each, at least 4 and at most `max_bins`; equal
    probabilities stay together. Intervals are Wilson's, with users for trials.
    """
    n_bins = int(np.clip(np.sum(labels == 1) // 10, 4, max_bins))
    edges = np.unique(np.quantile(probabilities, np.linspace(0, 1, n_bins + 1)[1:-1]))
    places = np.searchsorted(edges, probabilities, side="right")
    bins = []
    for place in np.unique(places):
        inside = places == place
        observed = float(np.mean(labels[inside] == 1))
        low, high = wilson_interval(observed, len(np.unique(users[inside])))
        predicted = float(np.mean(probabilities[inside]))
        bins.append(Bin(predicted, observed, low, high, int(inside.sum())))
    return tuple(bins)
