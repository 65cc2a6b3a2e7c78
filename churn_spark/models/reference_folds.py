"""One row of each user of a reference sample, and the part of the users that it belongs to.

Rows of one user on several dates tell one story, so what compares whole rows with tonight's takes
one of each. Whose they are isn't kept: a part holds a third of all users.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from churn_spark.models.splits import bucket_of, parts_of

FOLD: Final = "fold"
"""Column of a reference sample: the part, of one row of each user; missing on the others."""

N_FOLDS: Final = 3
_FOLD_SEED, _ROW_SEED = 44, 45


def folds_of(users: pd.Series) -> pd.Series:
    """The part that each user belongs to, 0 to 2, on every date and in every model the same."""
    return parts_of(users, N_FOLDS, _FOLD_SEED).astype("Int8")


def deal_one_row(users: pd.Series) -> pd.Series:
    """The part of each user, on one of the user's rows by lot; missing on the others.

    Args:
        users: whose each row is; those of one user in an order that is always the same.
    """
    chances = users.map({user: bucket_of(user, _ROW_SEED) for user in users.unique()})
    n_rows = users.groupby(users).transform("size")
    is_chosen = users.groupby(users).cumcount() == np.floor(chances * n_rows)
    return folds_of(users).where(is_chosen)
