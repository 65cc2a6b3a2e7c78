"""Cancellations weighted up in a fit, and nothing else about it changed.

A weight of w on the cancellations multiplies the odds that the loss aims at by w. Left at that,
trees spend their first rounds on the way there, and every bound that counts rows or their
curvature means something else. So they start where they are to arrive, and the bounds are scaled
(docs/adr/0047).
"""

from __future__ import annotations

import math
from typing import Final

from churn_spark.config import LightGBMConfig
from churn_spark.models.learnt_rows import LearntRows

_SHRINKS: Final = ("lambda_l2", "cat_l2", "cat_smooth")


def class_weight_of(rows: LearntRows, config: LightGBMConfig) -> float:
    """1, or stayers per canceller: the weight at which both classes count the same.

    Where rows don't count once each, they do so here, too. Of one class alone it is 1.
    """
    rate = rows.base_rate
    if config.class_weight == "none" or not 0.0 < rate < 1.0:
        return 1.0
    return (1.0 - rate) / rate


def log_odds_shift(class_weight: float) -> float:
    """What the weight adds to the log-odds that trees are grown towards."""
    return math.log(class_weight)


def weigh_shrinkage(config: LightGBMConfig, class_weight: float) -> LightGBMConfig:
    """The parameters under which weighted trees are shrunk as much as unweighted ones.

    What shrinks is added to a leaf's curvature, the sum of p(1 - p) of its rows. At a balanced
    weight and a base rate r that is 1 / 2r = (1 + w) / 2 times what it is without one, so what
    is added is multiplied by as much.
    """
    factor = (1.0 + class_weight) / 2.0
    return config.model_copy(update={name: getattr(config, name) * factor for name in _SHRINKS})
