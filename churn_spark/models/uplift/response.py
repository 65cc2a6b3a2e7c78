"""How one side of the draw answers: the served risk, moved by a constant and by few trees.

The two sides are fitted apart, a T learner (Kuenzel, Sekhon, Bickel and Yu, PNAS 116, 2019), but
both begin at the served log-odds: the withheld, a tenth of all, need not learn anew what the
champion knows from everybody. Trees are kept only where held-out users clearly gain by them, so
without anything to learn the two sides differ by a constant, and the order by effect is the order
by risk.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import lightgbm
import numpy as np
from scipy.special import expit

from churn_spark.arrays import Bools, Floats, Ints
from churn_spark.models.estimators import widen_ranges
from churn_spark.models.margins import margin_losses
from churn_spark.models.rounds import choose_rounds, round_grid

_MAX_ROUNDS: Final = 120
_N_FOLDS: Final = 3
_STEPS: Final = 50
_PARAMETERS: Final[dict[str, Any]] = {
    "objective": "binary",
    # The served log-odds hold what concerns single features; what is sought is whom a call moves.
    "num_leaves": 4,
    "learning_rate": 0.05,
    # No leaf tells of a few users.
    "min_data_in_leaf": 100,
    "lambda_l2": 5.0,
    "feature_fraction": 0.5,
    "max_bin": 63,
    "deterministic": True,
    "force_col_wise": True,
    "verbosity": -1,
}


@dataclass(frozen=True)
class Response:
    """The chance to cancel of users on one side.

    Attributes:
        shift: added to the served log-odds.
        native_text: LightGBM's text of the trees that are added; empty: none.
    """

    shift: float
    native_text: str = ""

    @cached_property
    def _booster(self) -> lightgbm.Booster:
        return lightgbm.Booster(model_str=self.native_text)

    def probabilities(self, matrix: Floats, log_odds: Floats) -> Floats:
        """The chance of each row, shape (n,).

        Args:
            matrix: encoded features and served log-odds, shape (n, features + 1).
            log_odds: served, shape (n,).
        """
        margins = log_odds + self.shift
        if self.native_text and len(matrix):
            margins = margins + np.asarray(self._booster.predict(matrix, raw_score=True))
        return np.asarray(expit(margins), dtype=np.float64)


def fit_response(
    matrix: Floats, log_odds: Floats, cancels: Bools, categorical: list[int], seed: int
) -> Response:
    """The response of one side's users.

    Args:
        matrix: encoded features and served log-odds, shape (n, features + 1).
        log_odds: served, shape (n,).
        cancels: who cancels, shape (n,); some do and some don't.
        categorical: columns of the matrix that are categories.
        seed: of every random choice.
    """
    grid = [0, *round_grid(5, _MAX_ROUNDS)]
    folds = deal(len(cancels), _N_FOLDS, seed)
    margins = np.empty((len(grid), len(cancels)))
    for fold in range(_N_FOLDS):
        rest, held = folds != fold, folds == fold
        shift = find_shift(log_odds[rest], cancels[rest])
        trees = _grow(matrix[rest], log_odds[rest] + shift, cancels[rest], categorical, seed)
        margins[:, held] = log_odds[held] + shift
        for row, rounds in enumerate(grid[1:], start=1):
            added = trees.predict(matrix[held], raw_score=True, num_iteration=rounds)
            margins[row, held] += np.asarray(added)
    losses = margin_losses(margins, cancels.astype(np.int32))
    users = np.arange(len(cancels)).astype(object)
    chosen = choose_rounds(losses, users, grid).rounds
    shift = find_shift(log_odds, cancels)
    if not chosen:
        return Response(shift)
    trees = _grow(matrix, log_odds + shift, cancels, categorical, seed, chosen)
    return Response(shift, widen_ranges(trees.model_to_string()))


def deal(n: int, n_folds: int, seed: int) -> Ints:
    """A part for each of n rows, the parts of one size, shape (n,)."""
    parts = np.arange(n, dtype=np.int64) % n_folds
    return np.random.default_rng(seed).permutation(parts)


def find_shift(log_odds: Floats, cancels: Bools) -> float:
    """What added to the log-odds makes them expect as many cancels as there are.

    Half a cancel and half a stay are added, so that it is finite.
    """
    target, shift = float(cancels.sum()), 0.0
    for _ in range(_STEPS):
        chances = expit(log_odds + shift)
        common = expit(shift)
        gap = target + 0.5 - float(chances.sum()) - float(common)
        slope = float((chances * (1 - chances)).sum()) + float(common * (1 - common))
        # A step of at most 1: Newton's rule overshoots where all chances are near 0 or 1.
        shift += max(-1.0, min(1.0, gap / max(slope, 1e-12)))
    return shift


def _grow(
    matrix: Floats,
    start: Floats,
    cancels: Bools,
    categorical: list[int],
    seed: int,
    rounds: int = _MAX_ROUNDS,
) -> lightgbm.Booster:
    parameters = _PARAMETERS | {"seed": seed}
    data = lightgbm.Dataset(
        matrix,
        cancels.astype(np.float64),
        init_score=start,
        categorical_feature=categorical,
        params=parameters,
    )
    return lightgbm.train(parameters, data, rounds)
