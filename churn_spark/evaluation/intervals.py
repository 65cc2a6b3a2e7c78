"""95 % intervals and standard errors in which a user, not a row, is one observation.

A user's rows on several dates are drawn together: they tell one story, and rows drawn one by one
would pretend to know more.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from churn_spark.arrays import Floats, Values

_LOW, _HIGH = 0.025, 0.975


@dataclass(frozen=True)
class Interval:
    """A value and its 95 % interval; the ends are NaN where too few users were seen."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        """`0.743 [0.721, 0.764]`; only the value where there are no ends."""
        if math.isnan(self.low):
            return f"{self.value:.3f}"
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


def mean_intervals(
    values: Floats, users: Values, *, n_replicas: int, seed: int
) -> tuple[Interval, ...]:
    """The mean over the rows of each column, its interval from drawing users with replacement.

    Args:
        values: shape (columns, rows).
        users: whose each row is, any values that sort, shape (rows,).
        n_replicas: draws, the same for all columns.
        seed: of the draws.

    Returns:
        One for each column; without ends where there is only one user.
    """
    names, user = np.unique(users, return_inverse=True)
    n_rows = np.bincount(user)
    sums = np.stack([np.bincount(user, weights=column) for column in values])
    # The older generator: earlier reports were drawn with it.
    integers = np.random.RandomState(seed).randint
    draws = draw_users(len(names), n_replicas if len(names) > 1 else 0, integers)
    drawn = np.array([sums @ counts / (n_rows @ counts) for counts in draws])
    columns = drawn.reshape(-1, len(values)).T
    return tuple(
        Interval(float(column.mean()), *percentiles(replicas))
        for column, replicas in zip(values, columns, strict=True)
    )


def paired_difference(sums: Values, n_rows: Values) -> tuple[float, float]:
    """Mean difference of two models on the same rows, and its standard error.

    The error is that of a ratio, the sum of differences over the number of rows, estimated from
    random users. Source: Wolter, "Introduction to variance estimation" (2007), chapter 2.

    Args:
        sums: differences added up by user, or by group of users, shape (users,).
        n_rows: rows of each; users without a row don't count.

    Returns:
        Mean over rows and its error, which is infinite for fewer than two users.
    """
    n, n_users = float(n_rows.sum()), int(np.count_nonzero(n_rows))
    mean = float(sums.sum()) / n
    if n_users < 2:
        return mean, math.inf
    squares = float(np.sum((sums - mean * n_rows) ** 2))
    return mean, math.sqrt(squares * n_users / (n_users - 1)) / n


def draw_users(n_users: int, n_replicas: int, integers: Callable[..., Values]) -> Iterator[Floats]:
    """How often each user is drawn, shape (users,), for each replica.

    Args:
        n_users: to draw from, and to draw.
        n_replicas: how many times.
        integers: a random generator's method, `integers(high, size=n)`.
    """
    for _ in range(n_replicas):
        drawn = np.bincount(integers(n_users, size=n_users), minlength=n_users)
        yield drawn.astype(np.float64)


def percentiles(drawn: Floats) -> tuple[float, float]:
    """The ends of the middle 95 %; NaN without draws. A draw without a value is left out."""
    known = drawn[~np.isnan(drawn)]
    if not len(known):
        return math.nan, math.nan
    low, high = np.quantile(known, [_LOW, _HIGH])
    return float(low), float(high)
