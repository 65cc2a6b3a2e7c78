"""Why a score is what it is: the parts that add up to its margin.

The margin is the trees' output plus an offset, the log-odds of one feature. Each feature gets its
SHAP value; the offset's feature gets the offset's distance from a reference on top. With the
expected value these add up to the margin, which is checked.
"""

from __future__ import annotations

from dataclasses import dataclass

import lightgbm
import numpy as np

from churn_spark.arrays import Floats
from churn_spark.errors import ExplanationError

_TOLERANCE = 1e-9


@dataclass(frozen=True)
class Contributions:
    """What each feature adds to the margin of each row.

    Attributes:
        values: in log-odds, shape (rows, features).
        expected: in log-odds: the margin of a row without contributions, the same for all rows or
            of each, shape (rows,).
    """

    values: Floats
    expected: float | Floats

    @property
    def margins(self) -> Floats:
        """Log-odds that the contributions and the expected value add up to, shape (rows,)."""
        return np.asarray(self.values.sum(axis=1) + self.expected)

    def with_offset(self, offset: Floats, column: int | None, reference: float) -> Contributions:
        """The same of the trees' margin plus an offset.

        The offset is a term of its own, so its Shapley value is its distance from the reference.

        Args:
            offset: in log-odds, shape (rows,).
            column: of the feature that it comes from, which may also have a part in the trees; none
                where it is the same for all rows.
            reference: offset of the typical row; it goes into the expected value.
        """
        values = self.values.copy()
        if column is not None:
            values[:, column] += offset - reference
        return Contributions(values, self.expected + reference)


def contributions(booster: lightgbm.Booster, matrix: Floats) -> Contributions:
    """What each feature adds to what the trees say of each row.

    Source: Lundberg et al., "Consistent individualized feature attribution for tree ensembles"
    (2018), as LightGBM computes it with `pred_contrib`.

    Args:
        booster: the trees.
        matrix: encoded rows, shape (rows, features).
    """
    # LightGBM refuses a matrix without rows; the constant is known even then.
    asked = matrix if len(matrix) else np.full((1, matrix.shape[1]), np.nan)
    found = np.asarray(booster.predict(asked, pred_contrib=True, num_threads=1))
    return Contributions(found[: len(matrix), :-1], float(found[0, -1]))


def check_sums(explained: Contributions, margins: Floats) -> None:
    """Refuse an explanation that doesn't add up to the margins it explains.

    Args:
        explained: of some rows.
        margins: of the same rows, in log-odds, before calibration, shape (rows,).

    Raises:
        ExplanationError: if a row is off by more than 1e-9 of what was added up, or not a number.
    """
    sums = explained.margins
    if sums.shape != margins.shape:
        raise ExplanationError(
            f"found contributions of {len(sums)} rows and {len(margins)} margins, expected one "
            "of each a row: explain the rows that were scored"
        )
    # Large terms that cancel leave a rounding error of their own size.
    size = np.abs(explained.values).sum(axis=1) + np.abs(explained.expected)
    gaps = np.abs(sums - margins)
    # Written so that a NaN is wrong too.
    wrong = ~(gaps <= _TOLERANCE * np.maximum(size, 1.0))
    if wrong.any():
        row = int(np.argmax(wrong))
        raise ExplanationError(
            f"the contributions of {int(wrong.sum())} of {len(sums)} rows don't add up: row "
            f"{row} has {float(sums[row])!r}, expected its margin {float(margins[row])!r}; give "
            "the trees, the matrix and the offset that the margin was computed with"
        )
