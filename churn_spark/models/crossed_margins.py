"""What trees say of users that they were not grown on: margins to choose a calibration by."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import pandas as pd

from churn_spark.arrays import Floats
from churn_spark.config import LightGBMConfig
from churn_spark.evaluation.treated import weights_in
from churn_spark.evaluation.weights import count_positive_rows
from churn_spark.models.calibration_choice import MIN_POSITIVES
from churn_spark.models.class_weights import class_weight_of
from churn_spark.models.encoding import Encoding
from churn_spark.models.estimators import TreePlan, fit_trees
from churn_spark.models.learnt_rows import MAX_COLLECTED_ROWS, LearntRows
from churn_spark.models.margins import tree_margins
from churn_spark.models.splits import TRAIN, parts_of

_PART: Final = "part"
_N_PARTS: Final = 5
_SEED: Final = 68


def crossed_margins(
    later: pd.DataFrame,
    candidate: Floats,
    learnt: LearntRows,
    encoding: Encoding,
    config: LightGBMConfig,
    plan: TreePlan,
) -> Floats:
    """The margins of later rows, each by trees that were not grown on its user.

    Windows of labels overlap, so of the users that they were grown on trees know part of the
    outcomes of the next date, and look better there than they are. These users are dealt out to
    five parts; what is said of a part comes from trees that were grown on the other four, as many
    and in the same way, by LightGBM's own library (docs/adr/0068).

    Args:
        later: encoded rows of a later date with their `split`, of training users and of others.
        candidate: their margins by trees that were grown on all that was learnt from, shape
            (rows,). They stay what is said of users who aren't learnt from; of all users where
            there are fewer than 50 cancellations, of which the other parts may have none.
        learnt: rows that the candidate was grown on.
        encoding: of the features.
        config: LightGBM's parameters.
        plan: of the trees.

    Returns:
        Shape (rows,).
    """
    rows, margins = learnt.take(MAX_COLLECTED_ROWS), candidate.copy()
    if count_positive_rows(rows["label"].to_numpy(), weights_in(rows)) < MIN_POSITIVES:
        return candidate
    parts = parts_of(rows["user_id"], _N_PARTS, _SEED)
    dealt = LearntRows.of_frame(rows.assign(**{_PART: parts}), learnt.session)
    # The candidate may have learnt from more users than fit here: each of them has a part.
    is_learnt = later["split"] == TRAIN
    later_parts = parts_of(later["user_id"], _N_PARTS, _SEED).where(is_learnt)
    for part in range(_N_PARTS):
        is_asked = (later_parts == part).to_numpy()
        if not is_asked.any():
            continue
        others = dealt.where(_PART, [other for other in range(_N_PARTS) if other != part])
        own = replace(plan, class_weight=class_weight_of(others, config))
        text = fit_trees(others, encoding, config, own, "lightgbm")
        margins[is_asked] = tree_margins(later[is_asked], encoding, text, plan.offset)
    return margins
