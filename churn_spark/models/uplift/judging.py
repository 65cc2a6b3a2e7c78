"""Is the order by effect better than the order by risk? Told by users whom no fit has seen."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import pandas as pd

from churn_spark.arrays import Bools, Floats
from churn_spark.config import UpliftConfig
from churn_spark.evaluation.effect import Counts, Saved, Side, saved_by_listing, users_for
from churn_spark.evaluation.qini import Drawn, Qini, compare_qinis, measure_qini
from churn_spark.models.encoding import Encoding
from churn_spark.models.uplift.model import Campaign, UpliftModel, fit_uplift, held_out_saves

WORTH_KNOWING: Final = 0.05
"""An order that keeps so many of the cancels more, over all lengths of a list, is worth having."""
_MEAN_SQUARE: Final = 1 / 12
"""Of the ranks of two orders less each other, about: of two that have half of it in common."""


@dataclass(frozen=True)
class Learnt:
    """What held-out users say of a model, and the model of them all.

    Attributes:
        by_effect: Qini of the order by what listing a user saves.
        by_risk: that of the list as it is.
        difference: the first less the second.
        harmed: users of a negative expected saving, and what listing them has saved.
        n_harmed: how many they are.
        model: fitted on all users.
    """

    by_effect: Qini
    by_risk: Qini
    difference: Qini
    harmed: Saved
    n_harmed: int
    model: UpliftModel

    @property
    def is_better(self) -> bool:
        """Whether the order by effect is surely better, however often one has looked."""
        return self.difference.always.low > 0


def is_enough(drawn: Drawn, config: UpliftConfig) -> bool:
    """Whether either side has the cancels, and others, that a fit needs."""
    sides = drawn.is_control, ~drawn.is_control
    groups = [side & cancels for side in sides for cancels in (drawn.cancels, ~drawn.cancels)]
    return min(int(group.sum()) for group in groups) >= config.min_cancels


def learn(
    rows: pd.DataFrame,
    drawn: Drawn,
    worth: Floats,
    encoding: Encoding,
    campaign: Campaign,
    config: UpliftConfig,
) -> Learnt:
    """Fit, and judge on held-out users.

    Args:
        rows: features and `churn_probability` of each user as of the first list, one row a user.
        drawn: the same users in the same order; enough of them, see `is_enough`.
        worth: of each user, in any unit, shape (n,).
        encoding: of the features.
        campaign: that they were drawn for.
        config: folds and seed.
    """
    expected, folds = held_out_saves(rows, drawn, encoding, campaign, config.n_folds, config.seed)
    saved = drawn.saved * worth / worth.mean()
    by_effect, by_risk = expected * worth, drawn.risk * worth
    is_harmed = expected < 0
    harmed = saved_by_listing(count(drawn.of(is_harmed)))
    model = fit_uplift(rows, drawn, encoding, campaign, config.seed)
    return Learnt(
        measure_qini(saved, by_effect, folds),
        measure_qini(saved, by_risk, folds),
        compare_qinis(saved, by_effect, by_risk, folds),
        harmed,
        int(is_harmed.sum()),
        replace(model, leaves_alone=harmed.always.high < 0),
    )


def needed_users(drawn: Drawn, difference: Qini | None) -> int | None:
    """About how many users it takes to tell an order that keeps a twentieth of the cancels more.

    None where nobody has cancelled yet.

    Args:
        drawn: the users so far.
        difference: of two orders of them; none where none was learnt yet.
    """
    share = float(drawn.cancels.mean()) if len(drawn) else 0.0
    if not 0 < share < 1:
        return None
    if difference is not None and difference.error > 0:
        variance = difference.error**2 * difference.n
    else:
        drawn_apart = drawn.control_share * (1 - drawn.control_share)
        variance = share * (1 - share) / drawn_apart * _MEAN_SQUARE
    return users_for(variance, WORTH_KNOWING * share)


def count(drawn: Drawn) -> Counts:
    """Users and cancels on either side."""

    def side(chosen: Bools) -> Side:
        return Side(int(chosen.sum()), int((chosen & drawn.cancels).sum()))

    return Counts(side(~drawn.is_control), side(drawn.is_control))
