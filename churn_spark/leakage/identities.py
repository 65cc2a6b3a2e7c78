"""Arithmetic that gives the label away: a total less its parts, one count over another."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from churn_spark.arrays import Bools, Floats
from churn_spark.config import LeakageConfig
from churn_spark.leakage.auc import auc_limit, auc_within, count_users
from churn_spark.leakage.table import (
    FeatureTable,
    Finding,
    labels_of,
    matrix_of,
)

_NAMED = 6
# Columns of which one follows from the other but for something small.
_MIN_TWINS = 0.98
_KEEPS = 0.9
_RIDGE = 1e-9


def check_identities(table: FeatureTable, limits: LeakageConfig) -> Iterator[Finding]:
    """Sums of columns that are the label, and pairs whose difference or ratio tells it."""
    rows = table.labelled
    is_positive = labels_of(rows)
    names, values = _varying(table.numeric, _filled(matrix_of(rows, table.numeric)))
    if not names or is_positive.all() or not is_positive.any():
        return
    users = rows["user_id"].to_numpy()
    for form, columns in (("", values), ("the logarithms of ", _logs(values))):
        explained = _explained_held_out(columns, is_positive, users)
        if explained > limits.max_explained:
            chosen = _smallest_sum(columns, is_positive, names)
            yield Finding(
                "identity",
                chosen[0],
                explained,
                limits.max_explained,
                f"a weighted sum of {form}{', '.join(chosen)} explains {explained:.0%} of the "
                "label for users it wasn't fitted on: the label is hidden in their arithmetic",
            )
    yield from _find_pairs(names, values, is_positive, rows["as_of"].to_numpy(), users, limits)


def _find_pairs(
    names: list[str],
    values: Floats,
    is_positive: Bools,
    dates: NDArray[np.object_],
    users: NDArray[np.object_],
    limits: LeakageConfig,
) -> Iterator[Finding]:
    """Twins, of which the difference or the ratio is a better forecast than honest models give."""
    limit = auc_limit(limits.max_forecast_auc, *count_users(users, is_positive), limits.z)
    twins = np.maximum(_correlations(values), _correlations(_logs(values))) > _MIN_TWINS
    for first, second in np.argwhere(np.triu(twins, 1)):
        a, b = values[:, first], values[:, second]
        ratio = np.divide(a, b, out=np.full(len(a), np.nan), where=b != 0)
        for sign, combined in (("-", a - b), ("/", ratio)):
            auc = auc_within(combined, is_positive, dates)
            if max(auc, 1 - auc) > limit:
                yield Finding(
                    "identity",
                    names[first],
                    max(auc, 1 - auc),
                    limit,
                    f"{names[first]} {sign} {names[second]} ranks the cancellations with AUC "
                    f"{max(auc, 1 - auc):.3f}: one of them counts what the other leaves out",
                )
                break


def _explained_held_out(columns: Floats, is_positive: Bools, users: NDArray[np.object_]) -> float:
    """Share of the label's variance that a sum fitted on half of the users explains in the rest."""
    fitted = np.unique(users, return_inverse=True)[1] % 2 == 0
    if not is_positive[fitted].any() or not is_positive[~fitted].any():
        return 0.0
    design = np.column_stack([np.ones(len(columns)), columns])
    weights, *_ = np.linalg.lstsq(design[fitted], is_positive[fitted].astype(float), rcond=None)
    actual = is_positive[~fitted].astype(float)
    residual = actual - design[~fitted] @ weights
    return float(1 - (residual**2).sum() / ((actual - actual.mean()) ** 2).sum())


def _smallest_sum(columns: Floats, is_positive: Bools, names: list[str]) -> list[str]:
    """The few columns that explain nearly all that all of them do, the weightiest first.

    Backward: the column whose removal costs least goes. Without column j the squared error grows
    by w_j^2 / (X'X)^-1_jj.
    """
    scaled = (columns - columns.mean(axis=0)) / columns.std(axis=0)
    label = is_positive - is_positive.mean()
    total = float(label @ label)
    kept, explained_by_all = list(range(len(names))), None
    order: list[int] = kept
    while kept:
        x = scaled[:, kept]
        inverse = np.linalg.inv(x.T @ x + _RIDGE * len(x) * np.eye(len(kept)))
        weights = inverse @ (x.T @ label)
        explained = 1 - float(((label - x @ weights) ** 2).sum()) / total
        explained_by_all = explained if explained_by_all is None else explained_by_all
        if explained < _KEEPS * explained_by_all:
            break
        cost = weights**2 / np.diag(inverse)
        # A total varies more than its parts, so it has the largest weight on the common scale.
        order = [kept[i] for i in np.argsort(-np.abs(weights))]
        kept = [column for i, column in enumerate(kept) if i != int(np.argmin(cost))]
    return [names[column] for column in order[:_NAMED]]


def _correlations(values: Floats) -> Floats:
    varying = values.std(axis=0) > 0
    found = np.zeros((values.shape[1],) * 2)
    if varying.sum() > 1:
        found[np.ix_(varying, varying)] = np.corrcoef(values[:, varying].T)
    return found


def _varying(names: list[str], values: Floats) -> tuple[list[str], Floats]:
    keep = values.std(axis=0) > 0 if len(names) else np.zeros(0, dtype=bool)
    return [name for name, is_kept in zip(names, keep, strict=True) if is_kept], values[:, keep]


def _filled(values: Floats) -> Floats:
    """Missing numbers as the column's median, 0 where there is none."""
    known = ~np.isnan(values)
    middle = np.array(
        [np.median(column[is_known]) if is_known.any() else 0.0
         for column, is_known in zip(values.T, known.T, strict=True)]
    )  # fmt: skip
    return np.where(known, values, middle) if values.shape[1] else values


def _logs(values: Floats) -> Floats:
    logs: Floats = np.sign(values) * np.log1p(np.abs(values))
    return logs
