"""The output of trees for encoded rows before calibration: log-odds, and their losses."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import lightgbm
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from churn_spark.arrays import Floats
from churn_spark.models.encoding import Encoding
from churn_spark.models.offset import Offset


def tree_margins(
    rows: pd.DataFrame,
    encoding: Encoding,
    native_text: str,
    offset: Offset,
    rounds: int | None = None,
) -> Floats:
    """Log-odds of encoded rows before calibration; of the first `rounds` trees where given."""
    matrix = rows[list(encoding.features)].to_numpy(dtype=np.float64)
    booster = lightgbm.Booster(model_str=native_text)
    margins = np.asarray(booster.predict(matrix, raw_score=True, num_iteration=rounds))
    return margins + offset.values(matrix, encoding.features)


def staged_margins(
    rows: pd.DataFrame,
    encoding: Encoding,
    native_text: str,
    offset: Offset,
    grid: Sequence[int],
) -> Floats:
    """`tree_margins` after each of some rising numbers of trees, shape (grid, rows)."""
    matrix = rows[list(encoding.features)].to_numpy(dtype=np.float64)
    booster = lightgbm.Booster(model_str=native_text)
    added = [
        np.asarray(
            booster.predict(matrix, raw_score=True, start_iteration=n, num_iteration=more - n)
        )
        for n, more in pairwise([0, *grid])
    ]
    return np.asarray(offset.values(matrix, encoding.features) + np.cumsum(added, axis=0))


def margin_losses(margins: Floats, labels: NDArray[np.int32]) -> Floats:
    """Log loss of each margin in nats, shape of `margins`: each row counts once."""
    sign = np.where(labels == 1, -1.0, 1.0)
    return np.asarray(np.logaddexp(0.0, sign * margins))
