"""Small LightGBM models that score only users they weren't fitted on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import lightgbm as lgb
import numpy as np
from numpy.typing import NDArray

from churn_spark.arrays import Bools, Floats

_FOLDS: Final = 3
_NAMED: Final = 3
_ROUNDS: Final = 40
_SEED: Final = 7
_PARAMETERS: Final[dict[str, Any]] = {
    "objective": "binary",
    "learning_rate": 0.1,
    "num_leaves": 7,
    "min_data_in_leaf": 20,
    "lambda_l2": 1.0,
    "max_bin": 63,
    "num_threads": 1,
    "deterministic": True,
    "seed": _SEED,
    "verbosity": -1,
}


@dataclass(frozen=True)
class CrossFit:
    """Scores of rows by small models that were not fitted on them.

    Attributes:
        held_out: score of each row by the model of the other folds, shape (rows,).
        leading: names of the columns that the fits gained most by, the first one most.
    """

    held_out: Floats
    leading: list[str]


def fit_trees(values: Floats, is_positive: Bools, rounds: int = _ROUNDS) -> lgb.Booster:
    """A few shallow trees."""
    data = lgb.Dataset(values, label=is_positive.astype(float), params={"verbosity": -1})
    return lgb.train(_PARAMETERS, data, num_boost_round=rounds)


def cross_fit(
    values: Floats, is_positive: Bools, users: NDArray[Any], names: list[str]
) -> CrossFit:
    """Scores of each user's rows by trees fitted on other users."""
    # By lot, not by `deal_folds`: that could pass on what the order or the number of a user's
    # rows says of the label.
    ids, user = np.unique(users, return_inverse=True)
    fold = np.random.default_rng(_SEED).integers(0, _FOLDS, len(ids))[user]
    held_out, gain = np.full(len(values), np.nan), np.zeros(len(names))
    for number in range(_FOLDS):
        inside = fold != number
        trees = fit_trees(values[inside], is_positive[inside])
        scores = np.asarray(trees.predict(values[~inside], raw_score=True), dtype=float)
        # Priors differ between folds, and a held-out positive lowers that of its own fold.
        held_out[~inside] = scores - np.log(
            (is_positive[inside].mean() + 1e-9) / (1 - is_positive[inside].mean() + 1e-9)
        )
        gain += trees.feature_importance("gain")
    return CrossFit(held_out, [names[column] for column in np.argsort(-gain)[:_NAMED]])
