"""Rows of which as large a share cancels as of others, for metrics that follow that share.

F1 and average precision fall with the share of those who cancel, whatever the model: of a log's
first weeks more cancel than of later ones, as those who come most often leave first. See
docs/adr/0058-f1-and-ap-at-one-base-rate.md.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from churn_spark.evaluation.treated import weights_in

FOLLOW_BASE_RATE: Final = ("f1", "average_precision")


def at_base_rate(rows: pd.DataFrame, share: float) -> pd.DataFrame:
    """The rows without some who cancel, or some who stay, so that `share` of them cancel.

    Which are left out is told by a hash of user and date, so they are the same each time.

    Args:
        rows: as_of, user_id and label, 0 or 1; and `weight` where they don't count once each.
        share: of those who cancel; where it or that of the rows is 0 or 1, all rows are kept.
    """
    cancels, weights = rows["label"] == 1, weights_in(rows)
    counts = pd.Series(np.ones(len(rows)) if weights is None else weights, rows.index)
    n_cancel, n_stay = counts[cancels].sum(), counts[~cancels].sum()
    if not 0 < share < 1 or not n_cancel or not n_stay:
        return rows
    odds = share / (1 - share)
    n_kept = {True: round(n_stay * odds), False: round(n_cancel / odds)}
    order = pd.util.hash_pandas_object(rows[["as_of", "user_id"]], index=False)
    place = counts.loc[order.sort_values(kind="stable").index].groupby(cancels).cumsum()
    return rows[place.loc[rows.index] <= cancels.map(n_kept)]
