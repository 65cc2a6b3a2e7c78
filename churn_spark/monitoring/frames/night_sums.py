"""The counted nights of some weeks -> tonight and what it is compared with, night by night.

The rolling baseline is a sum, so a night that no other comparison looks at is added to it and
let go: four weeks take little more memory than one night.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import date

import numpy as np
import pandas as pd

from churn_spark.arrays import Values
from churn_spark.monitoring.drift.comparisons import PREVIOUS, WEEKDAY, choose_nights
from churn_spark.monitoring.drift.ks import MISSING_BIN, ReferenceSample

Key = tuple[date, str, str]
"""Night, slice and feature of some counts."""

_COLUMNS = ["run_date", "slice", "feature", "cells", "counts"]


def find_own_nights(counted: pd.DataFrame, run_date: date) -> set[Key]:
    """The counts that a comparison looks at by themselves; all others are only summed.

    Args:
        counted: run_date, slice and feature of everything counted.
        run_date: tonight.
    """
    found: set[Key] = set()
    for (place, feature), nights in counted.groupby(["slice", "feature"])["run_date"]:
        chosen = choose_nights(run_date, list(nights))
        own = (run_date, *chosen[PREVIOUS], *chosen[WEEKDAY])
        found.update((night, str(place), str(feature)) for night in own)
    return found


def sum_nights(
    nights: Iterable[pd.DataFrame], own: Collection[Key], samples: Mapping[str, ReferenceSample]
) -> pd.DataFrame:
    """The counts as they are, but all that aren't looked at by themselves in one row, summed.

    Grain: (run_date, slice, feature). A sum has the date of the oldest night in it, so that it is
    taken for a part of the rolling baseline, and for nothing else.

    Args:
        nights: rows of `DRIFT_CELLS`, a night at a time; each bin once a row.
        own: from `find_own_nights`.
        samples: feature -> what its bins refer to.
    """
    found: list[tuple[object, ...]] = []
    sums: dict[tuple[str, str], Values] = {}
    oldest: dict[tuple[str, str], date] = {}
    for night in nights:
        for row in zip(*(night[name] for name in _COLUMNS), strict=True):
            day, place, feature, cells, counts = row
            if (day, place, feature) in own:
                # Copied, as a part of a night would hold all of it.
                found.append((day, place, feature, np.array(cells), np.array(counts)))
                continue
            key = place, feature
            if key not in sums:
                # Four weeks of users fit in 32 bits. Shifted, as the missing are bin -1.
                sums[key] = np.zeros(2 * samples[feature].edges.size + 2, dtype=np.int32)
            sums[key][cells - MISSING_BIN] += counts
            oldest[key] = min(oldest.get(key, day), day)
    while sums:
        key, summed = sums.popitem()
        filled = np.flatnonzero(summed)
        counts = summed[filled].astype(np.int64)
        found.append((oldest[key], *key, filled + MISSING_BIN, counts))
    return pd.DataFrame(found, columns=_COLUMNS)
