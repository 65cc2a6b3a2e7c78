"""The segment of each user: the parts of the users that figures are given for."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from churn_spark.contracts.features.segments import LONGER, TENURE_BANDS, UNKNOWN


def segments_of(users: pd.DataFrame, prefix: str = "") -> pd.DataFrame:
    """The segments of snapshot rows, under the prefixed names of `SEGMENTS`; never null.

    Args:
        users: the columns `SEGMENT_SOURCES` of each.
        prefix: of the columns.
    """
    return pd.DataFrame(
        {
            f"{prefix}level": users["last_subscription_level"].astype(object).fillna(UNKNOWN),
            f"{prefix}tenure_band": tenure_band(users["tenure_days"]),
            f"{prefix}os": users["os"].astype(object).fillna(UNKNOWN),
        },
        index=users.index,
    )


def tenure_band(tenure_days: pd.Series) -> NDArray[np.object_]:
    """`up to 30 days`, `30 to 90 days` or `over 90 days` since registration, or `unknown`."""
    conditions = [tenure_days.isna(), *(tenure_days <= limit for limit, _ in TENURE_BANDS)]
    names = [UNKNOWN, *(name for _, name in TENURE_BANDS)]
    return np.select(conditions, names, LONGER).astype(object)
