"""Who stayed how long, of users who are watched for different lengths of time, beside a model."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
from scipy.stats import CensoredData, ecdf

from churn_spark.arrays import Bools, Floats
from churn_spark.contracts.survival import SURVIVAL_DAYS, survival_columns
from churn_spark.evaluation.intervals import Interval

_CONFIDENCE: Final = 0.95
_FEWEST_CANCELS: Final = 5


@dataclass(frozen=True)
class Observed:
    """The estimate of Kaplan and Meier ("Nonparametric estimation", 1958), as steps.

    Attributes:
        n: users.
        n_cancels: of them, who were seen to cancel.
        watched: days for which the longest watched of them was.
        days: on which the share falls, the first is 0, shape (steps,).
        staying: share that is still there from each of these days on, shape (steps,).
        low: of the 95 % interval (Greenwood's variance, on the scale of log minus log); NaN where
            nobody, or everybody, has cancelled.
        high: of the same.
    """

    n: int
    n_cancels: int
    watched: float
    days: Floats
    staying: Floats
    low: Floats
    high: Floats

    def at(self, day: float) -> Interval:
        """The share that stays until after a day; NaN beyond what was watched."""
        if day > self.watched:
            return Interval(float("nan"), float("nan"), float("nan"))
        place = int(np.searchsorted(self.days, day, side="right")) - 1
        ends = (float(values[place]) for values in (self.low, self.high))
        return Interval(float(self.staying[place]), *ends)


@dataclass(frozen=True)
class GroupCurve:
    """What happened to a part of the users, beside what was expected.

    Attributes:
        name: `all`, or a part such as `level=paid`.
        observed: what happened.
        expected: day -> share that the model expected to stay.
    """

    name: str
    observed: Observed
    expected: Mapping[int, float]


def observe_staying(cancelled: Floats, watched: Floats) -> Observed:
    """How long users stay.

    Args:
        cancelled: days until each user cancels; infinity of who doesn't, shape (users,).
        watched: days for which each user's future is known, above 0, shape (users,).

    Raises:
        ValueError: if there are no users.
    """
    if not len(cancelled):
        raise ValueError("nobody was watched")
    is_seen: Bools = cancelled < watched
    data = CensoredData(cancelled[is_seen], right=watched[~is_seen])
    found = ecdf(data).sf
    with warnings.catch_warnings():
        # Where everybody is gone there is no interval: it is NaN, as the docstring says.
        warnings.simplefilter("ignore", RuntimeWarning)
        ends: Any = found.confidence_interval(_CONFIDENCE, method="log-log")
    days, staying, low, high = (
        np.append(first, values)
        for first, values in (
            (0.0, found.quantiles),
            (1.0, found.probabilities),
            (1.0, ends.low.probabilities),
            (1.0, ends.high.probabilities),
        )
    )
    longest = float(np.max(watched))
    return Observed(len(cancelled), int(is_seen.sum()), longest, days, staying, low, high)


def observe_parts(parts: Iterable[tuple[str, pd.DataFrame]]) -> Iterator[GroupCurve]:
    """How long the users of each part stay beside what was expected, where enough have cancelled.

    Args:
        parts: name, and a row for each user: `cancelled` and `watched` as in `observe_staying`,
            and the chances to stay of `survival_columns`.
    """
    for name, rows in parts:
        if (rows["cancelled"] < rows["watched"]).sum() >= _FEWEST_CANCELS:
            observed = observe_staying(rows["cancelled"].to_numpy(), rows["watched"].to_numpy())
            means = rows[[*survival_columns()]].astype(float).mean()
            yield GroupCurve(name, observed, dict(zip(SURVIVAL_DAYS, means, strict=True)))
