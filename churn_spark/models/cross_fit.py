"""Small LightGBM models that score only users they weren't fitted on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import lightgbm as lgb
import numpy as np

from churn_spark.arrays import Bools, Floats, Ints, Values

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
        held_out: score of each row by the model of the other folds, shape (rows,); NaN where
            there are no others.
        gains: column -> what the fits gained by it, the column that they gained most by first.
    """

    held_out: Floats
    gains: dict[str, float]

    @property
    def leading(self) -> list[str]:
        """Names of the columns that the fits gained most by, the first one most."""
        return list(self.gains)[:_NAMED]


def fit_trees(
    values: Floats,
    is_positive: Bools,
    rounds: int = _ROUNDS,
    **changed: float,
) -> lgb.Booster:
    """A few shallow trees; further arguments are LightGBM's and take the place of its own here."""
    data = lgb.Dataset(values, label=is_positive.astype(float), params={"verbosity": -1})
    return lgb.train(_PARAMETERS | changed, data, num_boost_round=rounds)


def deal_users(users: Values, n_folds: int = _FOLDS) -> Ints:
    """The fold of each row, shape (rows,): that of its user, by lot.

    Not by `deal_folds`: that could pass on what the order or the number of a user's rows says of
    the label.
    """
    ids, user = np.unique(users, return_inverse=True)
    return np.random.default_rng(_SEED).integers(0, n_folds, len(ids))[user]


def cross_fit(
    values: Floats,
    is_positive: Bools,
    folds: Ints,
    names: list[str],
    rounds: int = _ROUNDS,
    **changed: float,
) -> CrossFit:
    """Scores of each fold's rows by trees fitted on the others.

    Args:
        values: shape (rows, names); missing ones are NaN.
        is_positive: what the trees tell apart, shape (rows,).
        folds: of each row, shape (rows,); all rows of a user are in one.
        names: of the columns.
        rounds: trees of each fit.
        **changed: LightGBM's parameters that take the place of those of `fit_trees`.
    """
    held_out, gain = np.full(len(values), np.nan), np.zeros(len(names))
    present = np.unique(folds)
    # By lot, few users can be in one fold alone.
    for fold in present if len(present) > 1 else ():
        inside = folds != fold
        trees = fit_trees(values[inside], is_positive[inside], rounds, **changed)
        scores = np.asarray(trees.predict(values[~inside], raw_score=True), dtype=float)
        # Priors differ between folds, and a held-out positive lowers that of its own fold.
        share = is_positive[inside].mean()
        held_out[~inside] = scores - np.log((share + 1e-9) / (1 - share + 1e-9))
        gain += trees.feature_importance("gain")
    order = np.argsort(-gain, kind="stable")
    return CrossFit(held_out, {names[column]: float(gain[column]) for column in order})
