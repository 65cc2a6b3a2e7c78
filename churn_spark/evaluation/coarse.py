"""Numbers of users -> numbers that many users share, for what leaves the tables.

A tenure with its fraction, beside the date that it is measured at, is the instant at which somebody
registered: as good as an id. So are a rate or a surprise that it went into. Files of models and of
their mistakes hold whole days and hours begun, and two digits of other fractions.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np
import pandas as pd

from churn_spark.arrays import Floats
from churn_spark.contracts.features.spec import Feature

_DIGITS: Final = 2
_MAX_PLACES: Final = 300


def coarsen(rows: pd.DataFrame, features: Iterable[Feature]) -> pd.DataFrame:
    """The rows with coarse numbers for the features among their columns; counts stay.

    What is 0 or unknown stays it, and nothing else becomes 0.
    """
    coarse = {
        feature.name: coarse_values(rows[feature.name].to_numpy(dtype=np.float64), feature)
        for feature in features
        if feature.data_type == "double" and feature.name in rows
    }
    return rows.assign(**coarse)


def coarse_values(values: Floats, feature: Feature) -> Floats:
    """Values of a feature as they may be told, of the same shape; coarse ones stay as they are."""
    if feature.data_type != "double":
        return values
    if feature.tells_instant:
        return np.ceil(values)
    known = np.where(np.isfinite(values) & (values != 0), np.abs(values), 1.0)
    places = np.clip(_DIGITS - 1 - np.floor(np.log10(known)), -_MAX_PLACES, _MAX_PLACES)
    # Divided by a power of ten, not multiplied by its inverse: that gives the shortest digits.
    power = 10.0 ** np.abs(places)
    return np.where(places > 0, np.round(values * power) / power, np.round(values / power) * power)
