"""Features whose scaler, imputer or encoding was fitted on test rows, known by their arithmetic.

A column centred, filled or encoded on a set of rows has an exact property over that set. Where
it holds over all rows, or over the test rows, and not over the training rows, test rows were in
the fit.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import numpy as np

from churn_spark.arrays import Bools, Floats
from churn_spark.leakage.table import TRAIN, FeatureTable, Finding

_EXACT = 1e-7
_MIN_ROWS = 30
_MIN_FILLED = 10
_MIN_FILLED_SHARE = 0.005
_MIN_PLAIN_GROUPS, _MIN_GROUPS = 3, 5
_CANDIDATES = 3


def check_fitted(table: FeatureTable) -> Iterator[Finding]:
    """Scalers, imputers, encodings and calibrations that have seen the test rows."""
    rows = table.rows
    is_train = (rows["split"] == TRAIN).to_numpy()
    if is_train.all() or is_train.sum() < _MIN_ROWS or (~is_train).sum() < _MIN_ROWS:
        return
    label = rows["label"].to_numpy(dtype=float)
    for name in table.numeric:
        values = rows[name].to_numpy(dtype=float, na_value=np.nan)
        yield from _find_centred(name, values, is_train)
        yield from _find_filled(name, values, is_train)
        yield from _find_encoded(name, values, label, is_train)


def _find_centred(name: str, values: Floats, is_train: Bools) -> Iterator[Finding]:
    """A mean of exactly 0 over all rows, which a scaler of the training rows doesn't leave."""
    known = ~np.isnan(values)
    spread = float(values[known].std()) if known.any() else 0.0
    if spread == 0 or not (known & is_train).any():
        return
    off = abs(float(values[known].mean())) / spread
    off_train = abs(float(values[known & is_train].mean())) / spread
    if off < _EXACT < off_train:
        yield Finding(
            "scaled on all rows",
            name,
            off,
            _EXACT,
            f"{name} has mean 0 over train and test together, and not over train: its scaler was "
            "fitted on the test rows too",
        )


def _find_filled(name: str, values: Floats, is_train: Bools) -> Iterator[Finding]:
    """A repeated value that is the mean or median of all other rows, and not of train's."""
    known = ~np.isnan(values)
    if known.sum() < _MIN_ROWS:
        return
    distinct, counts = np.unique(values[known], return_counts=True)
    enough = max(_MIN_FILLED, _MIN_FILLED_SHARE * known.sum())
    for position in np.argsort(-counts)[:_CANDIDATES]:
        value = float(distinct[position])
        # Medians and means of counts are round now and then; those of filled columns are not.
        if counts[position] < enough or value == round(value):
            continue
        others = known & (values != value)
        spread = float(values[others].std()) if others.any() else 0.0
        if spread == 0 or not (others & is_train).any():
            continue
        for what, middle in (("mean", np.mean), ("median", np.median)):
            off = abs(float(middle(values[others])) - value) / spread
            off_train = abs(float(middle(values[others & is_train])) - value) / spread
            if off < _EXACT < off_train:
                yield Finding(
                    "filled from all rows",
                    name,
                    off,
                    _EXACT,
                    f"{name} is {value:.6g} in {counts[position]:,} rows, the {what} of all other "
                    "rows and not of train's: its gaps were filled from the test rows too",
                )
                return


def _find_encoded(name: str, values: Floats, label: Floats, is_train: Bools) -> Iterator[Finding]:
    """Values that are the cancelled share of the rows that have them, smoothed or not."""
    known = ~np.isnan(values) & ~np.isnan(label)
    for what, chosen in (("all rows", known), ("the test rows", known & ~is_train)):
        if _is_share_of(values, label, chosen):
            yield Finding(
                "encoded with test labels",
                name,
                0.0,
                _EXACT,
                f"each value of {name} is the share of {what} with that value that cancel: it was "
                "fitted on the labels it is to forecast",
            )
            return


def _is_share_of(values: Floats, label: Floats, chosen: Bools) -> bool:
    """Whether each value v is (cancels + k p) / (rows + k) of its rows, for some k >= 0 and p.

    Without smoothing (k = 0) three values are proof enough. Otherwise `cancels - v rows` is
    `k (v - p)` for every value, points on a straight line in v, which is tried through pairs of
    the values with most cancellations. A value that several groups share, such as all small ones
    without a cancellation, lies at a multiple of the line.
    """
    distinct, group = np.unique(values[chosen], return_inverse=True)
    if len(distinct) < _MIN_PLAIN_GROUPS or distinct[0] < 0 or distinct[-1] > 1:
        return False
    n_rows = np.bincount(group).astype(float)
    n_cancels = np.bincount(group, weights=label[chosen])
    left = n_cancels - distinct * n_rows
    tolerance = _EXACT * n_rows.max()
    if (n_cancels > 0).sum() >= 2 and np.abs(left).max() < tolerance:
        return bool(n_rows.max() >= _MIN_FILLED)
    if len(distinct) < _MIN_GROUPS:
        return False
    cancelling = [int(i) for i in np.argsort(-n_cancels)[:_CANDIDATES] if n_cancels[i] > 0]
    for first, second in combinations(cancelling, 2):
        k = (left[first] - left[second]) / (distinct[first] - distinct[second])
        line = left[first] + k * (distinct - distinct[first])
        if k > -_EXACT and _are_multiples(left, line, tolerance):
            return True
    return False


def _are_multiples(found: Floats, line: Floats, tolerance: float) -> bool:
    """Whether every number is a whole multiple of the other one, mostly the first."""
    times = np.ones(len(line))
    large = np.abs(line) > tolerance
    times[large] = np.maximum(np.round(found[large] / line[large]), 1)
    is_same = np.abs(found - times * line) < tolerance
    return bool(is_same.all()) and float((times == 1).mean()) > 0.5
