"""From when time is measured: from the as-of date for everybody, never from one's own last event.

Somebody who cancels has a last event early; whatever is measured up to it knows the outcome.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from churn_spark.arrays import Floats
from churn_spark.leakage.table import (
    KEY,
    FeatureTable,
    Finding,
    days_between,
    matrix_of,
)

_WINDOW: Final = re.compile(r"_(\d+)d$")
_RECENCY: Final = re.compile(r"since|recency")
# A time in whole days still agrees with its exact form to this much.
_MIN_LIKENESS: Final = 0.995
_MUCH_CLOSER: Final = 0.1
_MIN_ROWS: Final = 30
_MAX_SPEAKING: Final = 0.01
_FAIR_STARTS: Final = ("registered_ts", "first_ts", "last_ts")
_OWN_CLOCKS: Final[dict[str, tuple[str, str]]] = {
    "the time from one's first to one's last event": ("last_ts", "first_ts"),
    "the time from registration to one's last event": ("last_ts", "registered_ts"),
    "the time from one's first to one's last event of the whole log": ("final_ts", "first_ts"),
    "the time from registration to one's last event of the whole log": (
        "final_ts",
        "registered_ts",
    ),
    "the time of one's last event of the whole log": ("final_ts", ""),
}


def check_anchors(table: FeatureTable) -> Iterator[Finding]:
    """Times up to one's own last event, and windows that end there."""
    if table.spans is None:
        return
    rows = table.rows.merge(table.spans, on=KEY, how="inner")
    # Within one date all times from the date are the same but for a constant.
    newest = rows[rows["as_of"] == rows["as_of"].value_counts().idxmax()]
    if len(newest) < _MIN_ROWS:
        return
    numeric = table.numeric
    for name, values in zip(numeric, matrix_of(newest, numeric).T, strict=True):
        yield from _find_own_clock(name, values, newest)
    for name in numeric:
        if match := _WINDOW.search(name):
            yield from _find_own_window(name, int(match[1]), rows)


def _find_own_clock(name: str, values: Floats, rows: pd.DataFrame) -> Iterator[Finding]:
    """A feature that ranks users as a time measured at their own last event does."""
    if np.isnan(values).all():
        return
    if np.nanmin(values) == np.nanmax(values):
        if _RECENCY.search(name):
            yield Finding(
                "own last event",
                name,
                1.0,
                0.0,
                f"{name} is {np.nanmin(values):g} for everybody: time since the last event, "
                "measured at the last event",
            )
        return
    as_of = pd.to_datetime(rows["as_of"])
    fair = max(
        _likeness(values, time)
        for time in (days_between(as_of, rows[start]) for start in _FAIR_STARTS)
    )
    for meaning, (late, early) in _OWN_CLOCKS.items():
        time = days_between(rows[late], rows[early] if early else as_of)
        likeness = _likeness(values, time)
        if likeness >= _MIN_LIKENESS and 1 - likeness <= _MUCH_CLOSER * (1 - fair):
            yield Finding(
                "own last event",
                name,
                likeness,
                _MIN_LIKENESS,
                f"{name} is {meaning}: who cancels stops early, so it knows the outcome; measure "
                "up to the as-of date",
            )
            return


def _likeness(values: Floats, time: Floats) -> float:
    """Squared correlation, of the values or of their ranks.

    Values know a rounded time again, in which ranks are tied; ranks a logarithm of it.
    """
    known = ~np.isnan(values) & ~np.isnan(time)
    a, b = values[known], time[known]
    if len(a) < _MIN_ROWS or np.ptp(a) == 0 or np.ptp(b) == 0:
        return 0.0
    by_value = np.corrcoef(a, b)[0, 1]
    by_rank = np.corrcoef(rankdata(a), rankdata(b))[0, 1]
    return float(max(by_value**2, by_rank**2))


def _find_own_window(name: str, days: int, rows: pd.DataFrame) -> Iterator[Finding]:
    """A count of the last N days that is not the same for all who were silent for N days.

    Whoever had no event in the window can have but one count there. Another one comes from a
    window that ends elsewhere. Only whole numbers are counts: how far a count is from what was
    expected of the user may well differ.
    """
    values = rows[name].to_numpy(dtype=float, na_value=np.nan)
    if not np.all(np.isnan(values) | (values == np.round(values))):
        return
    silent_days = days_between(pd.to_datetime(rows["as_of"]), rows["last_ts"])
    silent = values[silent_days > days]
    if len(silent) < _MIN_ROWS:
        return
    _, counts = np.unique(silent, return_counts=True)
    speaking = 1 - counts.max() / len(silent)
    if speaking > _MAX_SPEAKING:
        yield Finding(
            "own window",
            name,
            float(speaking),
            _MAX_SPEAKING,
            f"{name} tells {speaking:.0%} of those apart who had no event in the {days} days "
            "before the date: its window ends at one's own last event",
        )
